"""Find records by their words: stems in an index beside the readers, spellings for whoever misspells, one door to both.

Under row-level security `@@` and `%` would lose their indexes, for they are not leakproof. So one function asks them with
the rights of the worker, and gives back ids only: of records whose readers the caller is among, found by words that it
may read. The rows themselves are then read under the policies, as ever.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "search_1"
down_revision = "clocks_1"
branch_labels = None
depends_on = None

# The stemmer takes off one layer of affixes (mendistribusikan: distribusi, distribusi: stribusi); a second time, here and
# in the configuration, all forms of a word meet. Punctuation parts words: the parser would take ASN/TNI for a path.
WORDS = """
create function app.stems(said text) returns text language sql immutable parallel safe
return (select string_agg(coalesce((ts_lexize('pg_catalog.indonesian_stem', w.word))[1], w.word), ' ' order by w.place)
    from regexp_split_to_table(lower(said), '[^[:alnum:]]+') with ordinality w (word, place) where w.word <> '')

create function app.words_of(said text) returns tsvector language sql immutable parallel safe
return to_tsvector('pg_catalog.indonesian', coalesce(app.stems(said), ''))

create function app.term(said text) returns tsquery language sql immutable parallel safe
return phraseto_tsquery('pg_catalog.indonesian', app.stems(said))

create function app.spellings(said text) returns text[] language sql immutable parallel safe
return array(select distinct w from regexp_split_to_table(lower(said), '[^[:alnum:]]+') w
    where w ~ '^[[:alpha:]]{4,30}$' order by 1)

create function app.swapped(said text) returns text[] language sql immutable parallel safe
return array(select overlay(said placing reverse(substr(said, place, 2)) from place for 2)
    from generate_series(1, length(said) - 1) place)
"""

#: What people wrote in a record, and what it is found by besides.
SAID = {
    "task": ("title", "description", "note"),
    "vulnerability": ("description", "description_en", "asset", "candidate_path"),
    "meeting": ("title", "title_en", "venue"),
}
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

# Every spelling stands once, but for a race that nobody needs to wait out. What a text no longer says is forgotten with
# it, unless another text is soon found to say it: a name that was erased is told nowhere, a word that was forgotten too
# soon is only not guessed until somebody writes it again.
KEEP = """
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

# All wanted words and phrases, none of the unwanted. A near word is every spelling that shares enough trigrams, or that two
# letters in turn make (which costs a short word most of its trigrams), however many there are: were only the best ones taken, those of hidden texts would push out those of one's own, and that could be noticed.
SOUGHT = """
create function app.sought(wanted text[], quoted text[], unwanted text[], nearly boolean) returns tsquery
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

# What it finds is what the policies show: they are repeated here in terms of the row. Each statement is planned for the
# words it asks for, so a rare word goes by the index of words, a common one along the order of the list. When the exact
# words stand nowhere in what the caller may read, near ones are sought: what others alone may read decides nothing.
FIND = """
create function app.find(
    noun text, wanted text[], quoted text[], unwanted text[], nearly boolean, sorting text, place timestamptz,
    place_id uuid, region text, status text[], most integer
) returns table (record uuid, whole boolean, near boolean) language plpgsql stable rows 50
set search_path = pg_catalog, public, pg_temp as $$
declare
    exactly tsquery := app.sought(wanted, quoted, unwanted, false);
    sought tsquery := case when nearly then app.sought(wanted, quoted, unwanted, true) else exactly end;
    direction text := case when sorting like '-%' then 'desc' else 'asc' end;
    beyond text := case when sorting like '-%' then '<' else '>' end;
    key text := case ltrim(sorting, '-') when 'recorded_at' then 't.recorded_at' when 'updated_at' then 't.updated_at'
        when 'effective_at' then 't.effective_at' when 'due_at' then 'coalesce(t.due_at, timestamptz ''9999-01-01'')' end;
    read text := '(t.classification <> ''rahasia'' or $6)';
    narrow text := case when region is not null then
        ' and (t.region_code = $9 or t.region_code >= $9 || ''.'' and t.region_code < $9 || ''/'')' else '' end
        || case when status is not null then ' and t.status = any($10)' else '' end;
    after text := case when place is not null then format(' and (%s, t.id) %s ($7, $8)', key, beyond) else '' end;
    unrecused text := ' and (not $5 = any(t.recused_offices) or t.%I && $4)';
    branch text := '(select t.id, ' || key || ' as key, %L::boolean as whole from %I t where t.%I @@ %s and t.%I && $3'
        || ' and ' || read || '%s%s order by ' || key || ' ' || direction || ', t.id ' || direction || ' limit $11)';
    statement text;
    elsewhere boolean;
begin
    if exactly is null then
        return;
    end if;
    if noun = 'task' then
        statement := format(branch, true, 'task', 'words', '$1', 'readers', format(unrecused, 'readers'), '%1$s')
            || ' union all '
            || format(branch, false, 'task', 'brief', '$2', 'summary_readers', format(unrecused, 'summary_readers'), '%1$s');
    elsif noun in ('vulnerability', 'meeting') then
        statement := format(branch, true, noun, 'words', '$1', 'readers', '', '%1$s');
    end if;
    statement := 'select x.id, bool_and(x.whole), $12 from (' || statement || ') x group by x.id, x.key order by x.key '
        || direction || ', x.id ' || direction || ' limit $11';
    loop
        return query execute format(statement, narrow || after)
            using sought, exactly, app.sight(), app.own_sight(), app.office(), app.cleared(), place, place_id, region, status,
                most, coalesce(nearly, false);
        exit when found or nearly is not null or place is not null;
        if narrow <> '' then
            execute 'select exists (' || format(statement, '') || ')' into elsewhere
                using exactly, exactly, app.sight(), app.own_sight(), app.office(), app.cleared(), place, place_id, region,
                    status, 1, false;
            exit when elsewhere;
        end if;
        nearly := true;
        sought := app.sought(wanted, quoted, unwanted, true);
        exit when sought = exactly;
    end loop;
end $$
"""

DEFINERS = (
    "keep_spellings()",
    "app.find(text, text[], text[], text[], boolean, text, timestamptz, uuid, text, text[], integer)",
)
#: the API role finds by `app.find` alone; spellings are of everybody's texts, and nobody reads them
ASKED = DEFINERS[-1]


def _walls() -> str:
    lines = [
        "alter table word enable row level security;",
        "alter table word force row level security;",
        "grant select, insert, delete on word to simpul_worker;",
        "create policy works on word to simpul_worker using (true) with check (true);",
        "grant create on schema public, app to simpul_worker;",
    ]
    for one in DEFINERS:
        lines += [
            f"alter function {one} security definer;",
            f"alter function {one} owner to simpul_worker;",
            f"revoke execute on function {one} from public;",
            f"grant execute on function {one} to simpul_worker;",
        ]
    lines += [
        f"grant execute on function {ASKED} to simpul_api;",
        "revoke create on schema public, app from simpul_worker;",
    ]
    return "\n    ".join(lines)


RAISE = f"""
create procedure app.raise_search_walls() language plpgsql as $$
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'word' and schemaname = 'public') then
        return;
    end if;
    {_walls()}
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_search

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_search() || array(
    select 'row-level security on ' || t from unnest(array['word']) t
    where not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = to_regclass(t))
)

call app.raise_walls()
"""

#: What is added waits a little in a list that every search reads: a short one.
WAITING = {"gin_pending_list_limit": 256}


def upgrade() -> None:
    """Find records by their words."""
    op.execute("create extension if not exists pg_trgm")
    _run(WORDS)
    for table, name, said in (
        ("task", "words", WORDS_OF_TASK),
        ("task", "brief", "app.words_of(reference)"),
        ("vulnerability", "words", WORDS_OF_VULNERABILITY),
        ("meeting", "words", WORDS_OF_MEETING),
    ):
        op.execute(
            f"-- squawk-ignore adding-field-with-default\n"
            f"alter table {table} add column {name} tsvector generated always as ({said}) stored"
        )
    for index, table, columns in (
        ("ix_task_words", "task", ["words", "readers"]),
        ("ix_task_brief", "task", ["brief", "summary_readers"]),
        ("ix_vulnerability_words", "vulnerability", ["words", "readers"]),
        ("ix_meeting_words", "meeting", ["words", "readers"]),
    ):
        op.create_index(index, table, columns, unique=False, postgresql_using="gin", postgresql_with=WAITING)
    op.create_table(
        "word",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("spelling", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_word"),
    )
    op.create_index("ix_word_spelling", "word", ["spelling"], unique=False)
    op.create_index(
        "ix_word_alike",
        "word",
        ["spelling"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"spelling": "gin_trgm_ops"},
    )
    for part in (KEEP, SOUGHT, FIND):
        _run(part)
    for table, columns in SAID.items():
        said = ", ".join(f"'{one}'" for one in columns)
        op.execute(
            f"create trigger keep_spellings after insert or update of {', '.join(columns)} on {table}"
            f" for each row execute function keep_spellings({said})"
        )
        texts = " || ' ' || ".join(f"coalesce({one}, '')" for one in columns)
        op.execute(
            f"insert into word (spelling) select distinct one from {table}, unnest(app.spellings({texts})) one"
            " where not exists (select from word w where w.spelling = one)"
        )
    _run(RAISE)


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Find nothing."""
    op.execute("drop procedure app.raise_search_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_search() rename to missing_walls")
    for table in SAID:
        op.execute(f"drop trigger keep_spellings on {table}")
    for function in (ASKED, "app.sought(text[], text[], text[], boolean)", "keep_spellings()"):
        op.execute(f"drop function {function}")
    op.drop_table("word")
    for table, column in (("meeting", "words"), ("vulnerability", "words"), ("task", "brief"), ("task", "words")):
        op.drop_column(table, column)
    for function in ("swapped(text)", "spellings(text)", "term(text)", "words_of(text)", "stems(text)"):
        op.execute(f"drop function app.{function}")
    op.execute("drop extension pg_trgm")
