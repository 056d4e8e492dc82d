"""Let near words tell nothing of hidden texts: what is guessed stands in the index of the very record it finds.

A word was guessed by a spelling that any text held, and then sought in all its forms. So who had a record that holds a
form of a word, or bears it as its external reference, found that record by a misspelling only while somebody's hidden
text held another form. Now each spelling stands in the index beside its stem, and these two are kept to be guessed:
whatever a record is found by has been kept since that record was written, and what others wrote adds nothing.
"""

from __future__ import annotations

from alembic import op

revision = "guesses_1"
down_revision = "assessments_1"
branch_labels = None
depends_on = None

# A spelling is told from a stem by the sign before it, which no word of the parser has, and trigrams do not see.
WORDS_OF = """
create or replace function app.words_of(said text) returns tsvector language sql immutable parallel safe
return to_tsvector('pg_catalog.indonesian', coalesce(app.stems(said), '')) || array_to_tsvector(array(
    select distinct '=' || w from regexp_split_to_table(lower(said), '[^[:alnum:]]+') w where w ~ '^[[:alpha:]]{3,30}$'))
"""
#: Which of the words that a record is found by are kept to be guessed: asked of nothing but the word itself.
SPELLED = """
create function app.spelled(words tsvector) returns text[] language sql immutable parallel safe
return array(select w from unnest(tsvector_to_array(words)) w where w ~ '^=?[[:alpha:]]{3,30}$' order by 1)
"""
KEEP = """
create function keep_spellings() returns trigger language plpgsql
set search_path = pg_catalog, public, pg_temp as $$
declare
    said text[] := app.spelled(new.words);
    told text[] := case when tg_op = 'UPDATE' then app.spelled(old.words) else '{}' end;
    gone text;
    said_there tsquery;
begin
    insert into word (spelling) select one from unnest(said) one
        where one <> all(told) and not exists (select from word w where w.spelling = one);
    foreach gone in array array(select unnest(told) except select unnest(said)) loop
        said_there := quote_literal(gone)::tsquery;
        if not exists (select from task where words @@ said_there)
            and not exists (select from vulnerability where words @@ said_there)
            and not exists (select from meeting where words @@ said_there) then
            delete from word where spelling = gone;
        end if;
    end loop;
    return null;
end $$
"""
# as the walls of searching would have it, where they stand
OWN = """
do $$
begin
    if not app.stand() then
        return;
    end if;
    grant create on schema public to simpul_worker;
    alter function keep_spellings() security definer;
    alter function keep_spellings() owner to simpul_worker;
    revoke execute on function keep_spellings() from public;
    grant execute on function keep_spellings() to simpul_worker;
    revoke create on schema public from simpul_worker;
end $$
"""
# Near is a spelling, or the stem of a word, that shares enough trigrams, or that two letters in turn make.
SOUGHT = """
create or replace function app.sought(wanted text[], quoted text[], unwanted text[], nearly boolean) returns tsquery
language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
declare
    said text;
    found_by tsquery;
    whole tsquery;
    swapped text[];
begin
    foreach said in array wanted loop
        found_by := app.term(said);
        if nearly and lower(said) ~ '^[[:alpha:]]{4,30}$' then
            swapped := array(select unnest(array['=' || one, app.stems(app.stems(one))])
                from unnest(app.swapped(lower(said))) one);
            found_by := (select coalesce(string_agg(quote_literal(w.spelling), '|')::tsquery || found_by, found_by)
                from word w where w.spelling % lower(said) and similarity(w.spelling, lower(said)) >= 0.35
                    or w.spelling = any(swapped));
        end if;
        if numnode(found_by) > 0 then
            whole := coalesce(whole && found_by, found_by);
        end if;
    end loop;
    foreach said in array quoted loop
        if numnode(app.term(said)) > 0 then
            whole := coalesce(whole && app.term(said), app.term(said));
        end if;
    end loop;
    foreach said in array unwanted loop
        if numnode(app.term(said)) > 0 then
            whole := whole && !!app.term(said);
        end if;
    end loop;
    return whole;
end $$
"""
WORDS_OF_TASK = (
    "app.words_of(title || ' ' || description || ' ' || coalesce(note, '') || ' ' || reference || ' '"
    " || coalesce(external_reference, ''))"
)
WORDS_OF_VULNERABILITY = (
    "app.words_of(description || ' ' || coalesce(description_en, '') || ' ' || coalesce(asset, '') || ' '"
    " || coalesce(candidate_path, '') || ' ' || coalesce(external_reference, ''))"
)
WORDS_OF_MEETING = (
    "app.words_of(title || ' ' || coalesce(title_en, '') || ' ' || coalesce(venue, '') || ' '"
    " || coalesce(external_reference, ''))"
)
COLUMNS = (
    ("task", "words", WORDS_OF_TASK, "readers"),
    ("task", "brief", "app.words_of(reference)", "summary_readers"),
    ("vulnerability", "words", WORDS_OF_VULNERABILITY, "readers"),
    ("meeting", "words", WORDS_OF_MEETING, "readers"),
)
TABLES = ("task", "vulnerability", "meeting")


def upgrade() -> None:
    """Guess by what the record says."""
    _forget("app.spellings(text)")
    for part in (WORDS_OF, SPELLED, KEEP, OWN, SOUGHT):
        op.execute(part)
    _write_words_anew()
    for table in TABLES:
        op.execute(
            f"create trigger keep_spellings after insert or update of words on {table}"
            " for each row execute function keep_spellings()"
        )
    told = " union ".join(f"select unnest(app.spelled(words)) as one from {table}" for table in TABLES)
    _learn(f"insert into word (spelling) select one from ({told}) w order by one")


def _forget(helper: str) -> None:
    for table in TABLES:
        op.execute(f"drop trigger keep_spellings on {table}")
    op.execute("-- squawk-ignore ban-drop-function\ndrop function keep_spellings()")
    op.execute(f"-- squawk-ignore ban-drop-function\ndrop function {helper}")


def _write_words_anew() -> None:
    """Another function is no other column to PostgreSQL: only a new column is computed by it."""
    for table, name, said, readers in COLUMNS:
        op.execute(f"-- squawk-ignore ban-drop-column\nalter table {table} drop column {name}")
        op.execute(
            f"-- squawk-ignore adding-field-with-default\n"
            f"alter table {table} add column {name} tsvector generated always as ({said}) stored"
        )
        op.create_index(
            f"ix_{table}_{name}",
            table,
            [name, readers],
            unique=False,
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 256},
        )


def _learn(*learning: str) -> None:
    """As the worker: behind the walls their owner reads no text."""
    op.execute("select app.work()")
    op.execute("delete from word")
    for one in learning:
        op.execute(one)
    op.execute("reset role")


# as it was

WORDS_OF_BEFORE = """
create or replace function app.words_of(said text) returns tsvector language sql immutable parallel safe
return to_tsvector('pg_catalog.indonesian', coalesce(app.stems(said), ''))
"""
SPELLINGS_BEFORE = """
create function app.spellings(said text) returns text[] language sql immutable parallel safe
return array(select distinct w from regexp_split_to_table(lower(said), '[^[:alnum:]]+') w
    where w ~ '^[[:alpha:]]{4,30}$' order by 1)
"""
KEEP_BEFORE = """
create function keep_spellings() returns trigger language plpgsql
set search_path = pg_catalog, public, pg_temp as $$
declare
    row_ jsonb := to_jsonb(new);
    before jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
    said text[] := app.spellings((select string_agg(row_ ->> one, ' ') from unnest(tg_argv) one));
    told text[] := coalesce(app.spellings((select string_agg(before ->> one, ' ') from unnest(tg_argv) one)), '{}');
    gone text;
    still boolean;
begin
    insert into word (spelling) select one from unnest(said) one
        where one <> all(told) and not exists (select from word w where w.spelling = one);
    foreach gone in array array(select unnest(told) except select unnest(said)) loop
        execute $sql$
            select exists (select from (
                (select concat_ws(' ', title, description, note) as said from task where words @@ $1 limit 20)
                union all (select concat_ws(' ', description, description_en, asset, candidate_path)
                    from vulnerability where words @@ $1 limit 20)
                union all (select concat_ws(' ', title, title_en, venue)
                    from meeting where words @@ $1 limit 20)
            ) t where $2 = any(app.spellings(t.said)))
        $sql$ into still using app.term(gone), gone;
        if not still then
            delete from word where spelling = gone;
        end if;
    end loop;
    return null;
end $$
"""
SOUGHT_BEFORE = """
create or replace function app.sought(wanted text[], quoted text[], unwanted text[], nearly boolean) returns tsquery
language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
declare
    said text;
    found_by tsquery;
    whole tsquery;
begin
    foreach said in array wanted loop
        found_by := app.term(said);
        if nearly and lower(said) ~ '^[[:alpha:]]{4,30}$' then
            found_by := (select coalesce(string_agg('(' || near.term || ')', '|')::tsquery || found_by, found_by) from (
                select distinct app.term(w.spelling)::text as term from word w
                where w.spelling % lower(said) and similarity(w.spelling, lower(said)) >= 0.35
                    or w.spelling = any(app.swapped(lower(said)))) near
                where near.term <> '');
        end if;
        if numnode(found_by) > 0 then
            whole := coalesce(whole && found_by, found_by);
        end if;
    end loop;
    foreach said in array quoted loop
        if numnode(app.term(said)) > 0 then
            whole := coalesce(whole && app.term(said), app.term(said));
        end if;
    end loop;
    foreach said in array unwanted loop
        if numnode(app.term(said)) > 0 then
            whole := whole && !!app.term(said);
        end if;
    end loop;
    return whole;
end $$
"""
SAID_BEFORE = {
    "task": ("title", "description", "note"),
    "vulnerability": ("description", "description_en", "asset", "candidate_path"),
    "meeting": ("title", "title_en", "venue"),
}


def downgrade() -> None:
    """Guess spellings of all texts again."""
    _forget("app.spelled(tsvector)")
    for part in (WORDS_OF_BEFORE, SPELLINGS_BEFORE, KEEP_BEFORE, OWN, SOUGHT_BEFORE):
        op.execute(part)
    _write_words_anew()
    learning = []
    for table, columns in SAID_BEFORE.items():
        said = ", ".join(f"'{one}'" for one in columns)
        op.execute(
            f"create trigger keep_spellings after insert or update of {', '.join(columns)} on {table}"
            f" for each row execute function keep_spellings({said})"
        )
        texts = " || ' ' || ".join(f"coalesce({one}, '')" for one in columns)
        learning.append(
            f"insert into word (spelling) select distinct one from {table}, unnest(app.spellings({texts})) one"
            " where not exists (select from word w where w.spelling = one)"
        )
    _learn(*learning)
