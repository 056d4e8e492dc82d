"""Choose the tasks and clocks of a page before their rows are read: by the readers, filters and order, behind one door.

Under row-level security only comparisons that leak nothing may go by an index, so a filter that few rows pass was held
against all that a caller sees. Here the worker asks, planned for these very filters and this very sight, and gives back
ids only, of what the policies show; the rows are then read under the policies and all filters, as ever.
"""

from __future__ import annotations

from alembic import op

revision = "chosen_1"
down_revision = "retirement_1"
branch_labels = None
depends_on = None

# one of them as an equation, so that an index which begins with it gives the order of what follows
EQUALS = """
create function app.equals(name text, said jsonb) returns text language sql immutable
return case when jsonb_array_length(said) = 1 then format('%s = %L', name, said ->> 0)
    else format('%s = any(%L)', name, array(select jsonb_array_elements_text(said))::text) end
"""
# Filters as SQL of the row `t`: each at most as strict as the list's own. A holder is who is accountable or else logged
# it; who logs, supports or has a referral reads; a day of a stage is one of its zone, so a day more on either side. Of
# the register only what the caller sees of it chooses, or how long that takes would tell of the rest.
TASKS = """
create function app.asked_of_tasks(asked jsonb) returns text language sql stable
set search_path = pg_catalog, public, pg_temp
return (select coalesce(string_agg(' and (' || case name
    when 'status' then app.equals('t.status', said)
    when 'category' then app.equals('t.category', said)
    when 'function' then app.equals('t.function', said)
    when 'priority' then app.equals('t.priority', said)
    when 'classification' then app.equals('t.classification', said)
    when 'holder' then app.equals('t.holder', said)
    when 'accountable' then app.equals('t.holder', said) || ' and ' || app.equals('t.accountable', said)
    when 'logged_by' then app.equals('t.logged_by', said)
    when 'supporting' then format('t.readers && %1$L and t.supporting && %1$L',
        array(select jsonb_array_elements_text(said))::text)
    when 'referred_to' then 't.open_referral in (select r.id from referral r where r.status in (''sent'', ''received'') and '
        || app.equals('r.to_agency', said) || ')'
    when 'party' then format('t.readers && %L', app.acts_for()::text)
    when 'vulnerability' then case when exists (
            select from vulnerability v where v.id = (said #>> '{}')::uuid and (v.classification <> 'rahasia' or app.cleared())
                and v.readers && app.sight())
        then format('t.id in (select l.task_id from task_vulnerability l where l.vulnerability_id = %L)', said #>> '{}')
        else 'false' end
    when 'meeting' then case when exists (
            select from meeting m where m.id = (said #>> '{}')::uuid and (m.classification <> 'rahasia' or app.cleared())
                and m.readers && app.sight())
        then format('t.meeting = %L', said #>> '{}') else 'false' end
    when 'stage' then format('t.id = any(array(select l.task_id from task_vulnerability l join vulnerability v'
        ' on v.id = l.vulnerability_id where v.stage = %L and (%L or v.classification <> ''rahasia'') and v.readers && %L))',
        said #>> '{}', app.cleared(), app.sight()::text) || (
        select coalesce(string_agg(format(' or %1$s t.effective_at between %2$L and %3$L'
            ' or %1$s t.event_at between %2$L and %3$L',
            case when e.region_code is not null then app.within('t.region_code', e.region_code) || ' and' end,
            coalesce(s.starts_on - 1, '-infinity'), coalesce(s.ends_on + 2, 'infinity')), ''), '')
        from stage s join election e on e.code = s.election_code
        where s.code = said #>> '{}' and (s.starts_on is not null or s.ends_on is not null))
    when 'external_reference' then format('t.external_reference = %L', said #>> '{}')
    when 'region' then app.within('t.region_code', said #>> '{}')
    when 'created_after' then format('t.effective_at >= %L', said #>> '{}')
    when 'created_before' then format('t.effective_at < %L', said #>> '{}')
    when 'updated_after' then format('t.updated_at >= %L', said #>> '{}')
    when 'due_after' then format('coalesce(t.due_at, timestamptz ''9999-01-01 00:00:00+00'') >= %L', said #>> '{}')
    when 'due_before' then format('coalesce(t.due_at, timestamptz ''9999-01-01 00:00:00+00'') < %L', said #>> '{}')
    when 'deadline_status' then
        't.id in (select c.task_id from deadline c where ' || app.equals('c.status', said) || ')'
    else 'true' end || ')', '' order by name), '') from jsonb_each(asked) a (name, said))
"""
WITHIN = """
create function app.within(name text, region text) returns text language sql immutable
return format('(%1$s = %2$L or %1$s >= %3$L and %1$s < %4$L)', name, region, region || '.', region || '/')
"""
CLOCKS = """
create function app.asked_of_clocks(asked jsonb) returns text language sql stable
set search_path = pg_catalog, public, pg_temp
return (select coalesce(string_agg(' and (' || case name
    when 'status' then app.equals('t.status', said)
    when 'kind' then format('t.kind = %L', said #>> '{}')
    when 'code' then app.equals('t.code', said)
    when 'task' then format('t.task_id = %L', said #>> '{}')
    when 'accountable' then
        't.task_id in (select k.id from task k where ' || app.equals('k.holder', said) || ' and ' || app.equals('k.accountable', said) || ')'
    when 'region' then
        't.task_id in (select k.id from task k where ' || app.within('k.region_code', said #>> '{}') || ')'
    when 'due_after' then format('t.due_at >= %L', said #>> '{}')
    when 'due_before' then format('t.due_at < %L', said #>> '{}')
    else 'true' end || ')', '' order by name), '') from jsonb_each(asked) a (name, said))
"""
# What it gives is what the policies show: they are repeated here in terms of the row. Filters by what a summary does not
# show are asked of whole rows alone. Who sees few has them collected and sorted: how few they are, the planner only
# guesses. For others the costs say that what makes a walk dear is to hold its rows against readers.
NEXT = """
create function app.comes_next(noun text, asked jsonb, in_full boolean, few boolean, sorting text, place timestamptz,
    place_id uuid, most integer) returns table (record uuid) language plpgsql stable rows 50
set search_path = pg_catalog, public, pg_temp set random_page_cost = 1.1 set cpu_tuple_cost = 0.5
set max_parallel_workers_per_gather = 0 as $$
declare
    direction text := case when sorting like '-%' then 'desc' else 'asc' end;
    key text := case ltrim(sorting, '-') when 'recorded_at' then 't.recorded_at' when 'updated_at' then 't.updated_at'
        when 'effective_at' then 't.effective_at'
        when 'due_at' then case noun when 'task' then 'coalesce(t.due_at, timestamptz ''9999-01-01 00:00:00+00'')'
            else 't.due_at' end end;
    after text := case when place is not null then format(' and (%s, t.id) %s (%L, %L)', key,
        case direction when 'desc' then '<' else '>' end, place, place_id) else '' end;
    ordered text := case when few then '(' || key || ' + interval ''0'')' else key end;
    seen text := case when app.cleared() then '' else 't.classification <> ''rahasia'' and ' end || case when in_full
        then app.reads('readers') else '(' || app.reads('readers') || ' or ' || app.reads('summary_readers') || ')' end;
begin
    if noun not in ('task', 'deadline') then
        return;
    end if;
    return query execute format(
        'select t.id from %1$I t where %2$s%3$s%4$s order by %5$s %6$s, t.id %6$s limit %7$s', noun, seen,
        case noun when 'task' then app.asked_of_tasks(asked) else app.asked_of_clocks(asked) end, after, ordered, direction,
        coalesce(most::text, 'all'));
end $$
"""
READS = """
create function app.reads(name text) returns text language sql stable
return format('t.%1$I && %2$L and (not %3$L = any(t.recused_offices) or t.%1$I && %4$L)', name, app.sight()::text,
    app.office(), app.own_sight()::text)
"""
# To sort n tasks that one sees costs about as much as to look for 50 of them in the order of all N where n = sqrt(50 N).
MANY = """
create function app.sees_many() returns boolean language plpgsql stable security definer
set search_path = pg_catalog, public, pg_temp as $$
declare
    few integer := (select greatest(500, sqrt(50 * greatest(reltuples, 0))) from pg_class where oid = 'public.task'::regclass);
    seen integer;
begin
    execute 'select count(*) from (select from task where readers && $1 or summary_readers && $1 limit $2 + 1) t'
        into seen using app.sight(), few;
    return seen > few;
end $$
"""
# What the second wall shows of a task, and whether that is all of it, said in one look at its row: for counting, where a
# second look for what only full readers see would be half of the work.
COUNTED = """
create view task_counted with (security_barrier) as
select t.id, t.category, t.function, t.region_code, t.region_path, t.status, t.priority, t.accountable, t.due_at,
    t.classification, t.readers, t.recused_offices, t.open_referral, t.effective_at, t.updated_at, t.holder, t.logged_by,
    t.external_reference, t.meeting, f.in_full, case when f.in_full then t.supporting end as supporting,
    case when f.in_full then t.informed end as informed, case when f.in_full then t.event_at end as event_at
from task t cross join lateral (select t.id = any((select app.at_work())::uuid[]) or t.readers && (select app.sight())
    and (not (select app.office()) = any(t.recused_offices) or t.readers && (select app.own_sight())) as in_full offset 0) f
where t.id = any((select app.at_work())::uuid[]) or ((t.classification <> 'rahasia' or (select app.cleared())) and (
    t.readers && (select app.sight())
        and (not (select app.office()) = any(t.recused_offices) or t.readers && (select app.own_sight()))
    or t.summary_readers && (select app.sight())
        and (not (select app.office()) = any(t.recused_offices) or t.summary_readers && (select app.own_sight()))))
"""
MADE = (COUNTED, READS, EQUALS, WITHIN, TASKS, CLOCKS, NEXT, MANY)
DEFINERS = ("app.comes_next(text, jsonb, boolean, boolean, text, timestamptz, uuid, integer)", "app.sees_many()")
HELPERS = (
    "app.asked_of_clocks(jsonb)",
    "app.asked_of_tasks(jsonb)",
    "app.within(text, text)",
    "app.equals(text, jsonb)",
    "app.reads(text)",
)


def _owned(definers: tuple[str, ...]) -> str:
    lines = []
    for one in definers:
        lines += [
            f"if (select proowner from pg_proc where oid = '{one}'::regprocedure) <> to_regrole('simpul_worker') then",
            f"    alter function {one} security definer;",
            f"    alter function {one} owner to simpul_worker;",
            f"    revoke execute on function {one} from public;",
            f"    grant execute on function {one} to simpul_api, simpul_worker;",
            "end if;",
        ]
    return "\n    ".join(lines)


VIEW = """if pg_get_userbyid((select relowner from pg_class where oid = 'task_counted'::regclass)) <> 'simpul_worker' then
        grant select on task_counted to simpul_api;
        grant create on schema public to simpul_worker;
        alter view task_counted owner to simpul_worker;
    end if;
    """
RAISE = """
create or replace procedure app.raise_list_walls() language plpgsql as $$
begin
    if not app.stand() then
        return;
    end if;
    {view}grant create on schema public, app to simpul_worker;
    {owned}
    revoke create on schema public, app from simpul_worker;
end $$
"""
SEEN_BEFORE = """
create function app.seen() returns uuid[] language plpgsql stable security definer
set search_path = pg_catalog, public, pg_temp as $$
declare
    most integer := (select greatest(500, sqrt(8 * greatest(reltuples, 0))) from pg_class where oid = 'public.task'::regclass);
    found uuid[];
begin
    execute 'select array(select id from task where readers && $1 or summary_readers && $1 limit $2 + 1)'
        into found using app.sight(), most;
    return case when coalesce(array_length(found, 1), 0) <= most then found end;
end $$
"""
#: Index, table, columns, the operations and functions whose statements need it, and what they ask.
INDEXES = (
    (
        "ix_task_kind",
        "task",
        "status, category, function, priority, classification",
        "app.comes_next: those of a status, category, function, priority or class, or of several, where they are rare",
    ),
    (
        "ix_task_external_reference",
        "task",
        "external_reference) where (external_reference is not null",
        "app.comes_next: those that some system has under its own reference",
    ),
    (
        "ix_task_event_at",
        "task",
        "event_at) where (event_at is not null",
        "app.comes_next: those whose event fell into a stage",
    ),
    (
        "ix_vulnerability_stage",
        "vulnerability",
        "stage) where (stage is not null",
        "app.comes_next, countTasks: those that belong to a stage",
    ),
)
BRIEF = "-- squawk-ignore require-concurrent-index-creation\n"


def upgrade() -> None:
    """Let lists choose before they read."""
    for name, table, columns, why in INDEXES:
        op.execute(f"{BRIEF}create index {name} on {table} ({columns})")
        op.execute(f"comment on index {name} is '{why}'")
    # money_politics and security, say, are both common and never together
    op.execute("create statistics st_task_kind (mcv) on status, category, function, priority, classification from task")
    op.execute("-- squawk-ignore ban-drop-function\ndrop function app.seen()")
    for part in MADE:
        op.execute(part)
    op.execute(RAISE.format(view=VIEW, owned=_owned(DEFINERS)))
    op.execute("call app.raise_walls()")


def downgrade() -> None:
    """Read all to find some."""
    for one in (*DEFINERS, *HELPERS):
        op.execute(f"drop function {one}")
    op.execute("drop view task_counted")
    op.execute(SEEN_BEFORE)
    op.execute(RAISE.format(view="", owned=_owned(("app.seen()",))))
    op.execute("call app.raise_walls()")
    op.execute("drop statistics st_task_kind")
    for name, *_ in INDEXES:
        op.execute(f"drop index {name}")
