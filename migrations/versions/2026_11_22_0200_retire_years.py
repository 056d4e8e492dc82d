"""Keep what a task needs of its facts when their year is retired: how it stood at the year's end, and what was said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "retirement_1"
down_revision = "driven_1"
branch_labels = None
depends_on = None

KINDS = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.succeeded', 'task.mandate_ended', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'vulnerability.assessed', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'mandate.closure_proposed', 'mandate.closure_rejected', 'mandate.closed', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'log.retired', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"
KINDS_BEFORE = "kind in ('task.drafted', 'task.logged', 'task.updated', 'task.submitted', 'task.started', 'task.info_awaited', 'task.resumed', 'task.resolved', 'task.confirmed', 'task.outcome_rejected', 'task.reopened', 'task.cancelled', 'task.succeeded', 'task.mandate_ended', 'task.shared', 'task.unshared', 'task.commented', 'referral.sent', 'referral.received', 'referral.accepted', 'referral.returned', 'referral.withdrawn', 'deadline.started', 'deadline.approaching', 'deadline.breached', 'deadline.met', 'deadline.paused', 'deadline.resumed', 'deadline.extended', 'deadline.revised', 'deadline.recomputed', 'deadline.voided', 'vulnerability.mapped', 'vulnerability.updated', 'vulnerability.evidenced', 'vulnerability.assessed', 'meeting.held', 'meeting.updated', 'meeting.decided', 'agency.created', 'agency.updated', 'legal_instrument.created', 'legal_instrument.updated', 'mandate.created', 'mandate.closure_proposed', 'mandate.closure_rejected', 'mandate.closed', 'calendar.corrected', 'election.created', 'election.updated', 'stage.created', 'stage.updated', 'client.created', 'client.updated', 'client.suspended', 'client.reinstated', 'client.revoked', 'secret.created', 'secret.rotated', 'secret.revoked', 'secret.misused', 'key.registered', 'key.revoked', 'key.misused', 'token.revoked', 'tokens.revoked', 'credential.expiring', 'agency.suspended', 'agency.reinstated', 'signing_key.added', 'signing_key.activated', 'signing_key.ended', 'log_key.added', 'log_key.retired', 'log.cosigned', 'log.head_lost', 'log.resumed', 'webhook.created', 'webhook.updated', 'webhook.deleted', 'webhook.secret_rotated', 'webhook.parked', 'webhook.resumed', 'request.refused', 'authentication.failed', 'person.erased', 'record.erased')"

# the constraint comes back in the same transaction, with the words that are new
WIDEN = """
-- squawk-ignore ban-drop-constraint
alter table event drop constraint ck_event_kind_known
"""

SEEN = "(t.classification <> 'rahasia' or app.cleared())"
UNRECUSED = "(not app.office() = any(t.recused_offices) or t.summary_readers && app.own_sight())"
#: What tells the state of a task: its facts, and what is left of those that were retired. Their sum is whole only from
#: where `told_from` says; before that nothing is told rather than a part.
FACTS = """
            select e.id, e.effective_at, e.recorded_at, l.index, e.payload -> 'state' as state,
                case e.object_type when 'task' then e.version_after
                    else (e.payload -> 'state' ->> 'version')::integer end as version
            from event e left join log_entry l on l.event_id = e.id
            where e.task_id = subject and e.effective_at <= moment and e.payload ? 'state'
"""
RETIRED = """
            union all
            select r.id, r.effective_at, r.recorded_at, r.index, r.state, r.version
            from retired_fact r where r.task_id = subject and r.state is not null
"""
UNTOLD = "exists (select from retired_year y where y.told_from > moment) or "
STATE_OF = """
create or replace function app.state_of(subject uuid, moment timestamptz) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    whole boolean := exists (select from task_detail d where d.id = subject);
begin
    if {untold}not whole and not exists (select from task t
        where t.id = subject and {seen} and t.summary_readers && app.sight() and {unrecused}) then
        return null;
    end if;
    return (
        with told as ({facts}), facts as (
            select f.*, row_number() over (order by f.effective_at, f.index nulls last, f.id) as place from told f
        ), members as (
            select f.place, m.key, m.value from facts f cross join jsonb_each(f.state - 'words' - 'version') m
            union all
            select f.place, word, to_jsonb(f.id) from facts f cross join jsonb_array_elements_text(f.state -> 'words') word
            union all
            select 0, 'version', to_jsonb(max(f.version)) from facts f having count(*) > 0
            union all
            select 0, 'updated_at', to_jsonb(max(f.recorded_at)) from facts f having count(*) > 0
        )
        select jsonb_object_agg(m.key, m.value order by m.place) from members m
        where whole or m.key in ('function', 'status', 'priority', 'accountable', 'due_at')
    );
end $$
"""

# A year that was retired has left its parent: it is a table like any other, and goes only where the log says first that
# it does. It is known by its number and by the triggers that it bears, whatever it is called and wherever it lies.
KEEP_EVIDENCE = """
create or replace function app.keep_evidence() returns event_trigger language plpgsql as $$
begin
    if exists (
        with gone as (
            select *, case when object_type = 'table' and not is_temporary and has_schema_privilege('app', 'usage')
                then app.fate_of(objid) end as fate from pg_event_trigger_dropped_objects()
        )
        select from gone d
        where d.object_type in ('table', 'table column', 'trigger') and (d.object_identity ~ '{kept}'
                or d.object_identity ~ '^keep_(facts_whole|retired) on ' or d.fate = 'kept')
                and not exists (select from gone f where f.fate = 'dropped' and (f.objid = d.objid
                    or d.object_type = 'trigger' and d.address_names[1:2] = f.address_names))
            or d.object_identity ~ '^public\\.(keep_facts|queue_event|check_entry)\\(') then
        raise exception 'evidence is not dropped' using errcode = '42501';
    end if;
end $$
"""
KEEP_EVIDENCE_BEFORE = """
create or replace function app.keep_evidence() returns event_trigger language plpgsql as $$
begin
    if exists (select from pg_event_trigger_dropped_objects() d
        where d.object_type in ('table', 'table column', 'trigger')
                and d.object_identity ~ '{kept}'
            or d.object_identity ~ '^public\\.(keep_facts|queue_event|check_entry)\\(') then
        raise exception 'evidence is not dropped' using errcode = '42501';
    end if;
end $$
"""
TABLES = "event|log_entry|log_node|log_head|cosignature"
KEPT = rf"(^|on )(public\.({TABLES}|retired_year|retired_fact)|years\.\w+)(\.|$)"
KEPT_BEFORE = rf"(^|on )(public\.({TABLES})|years\.\w+)(\.|$)"

# What counts as retired is what a fact in the log says, not what a table does. The fate of a table is asked while tables
# are being dropped, these perhaps among them.
DECLARED = """
create function app.retirements() returns table (year integer, relation oid, dropped boolean, index bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select r.year, r.relation, e.payload -> 'dropped' = 'true', l.index
    from retired_year r join event e on e.object_type = 'log' and e.object_id = r.year::text and e.kind = 'log.retired'
        and e.payload @> jsonb_build_object('year', r.year, 'count', r.facts, 'until', r.until, 'digest', r.digest,
            'remains', r.remains)
    left join log_entry l on l.event_id = e.id
$$

create function app.fate_of(wanted oid) returns text language plpgsql stable security definer
set search_path = pg_catalog, public, pg_temp as $$
begin
    if to_regclass('public.event') is null or to_regclass('public.log_entry') is null
            or to_regclass('public.retired_year') is null then
        return null;
    end if;
    return (select case when exists (select from app.retirements() d where d.relation = wanted and d.dropped)
        then 'dropped' else 'kept' end from retired_year r where r.relation = wanted);
end $$
"""

# Of the facts that set a member of a task's state the last one tells it, by when it happened and then by its place in
# the log; one that was entered later and happened earlier comes between them as before.
LEFT_OVER = """
create function app.left_over(wanted integer) returns setof retired_fact language sql stable security definer
set search_path = pg_catalog, public, pg_temp as $$
    with gone as (
        select e.*, l.index, e.payload -> 'state' as told from event e join log_entry l on l.event_id = e.id
        where e.id >= app.first_id(wanted) and e.id < app.first_id(wanted + 1) and e.task_id is not null
    ), members as (
        select g.id, g.task_id, g.effective_at, g.index, m.member from gone g cross join lateral (
            select jsonb_object_keys(g.told - 'words' - 'version') as member
            union all select jsonb_array_elements_text(g.told -> 'words')
        ) m
    ), telling as (
        select id, array_agg(member) as members from (
            select distinct on (task_id, member) id, member from members
            order by task_id, member, effective_at desc, index desc
        ) last group by id
    ), left_over as (
        select g.*, t.members, coalesce(g.told -> 'words' ?| t.members, g.kind = 'task.commented', false) as said
        from gone g left join telling t on t.id = g.id
    )
    select o.id, o.index, o.kind, o.task_id, case when o.object_type = 'comment' then o.object_id::uuid end,
        o.agency, o.effective_at, o.recorded_at,
        case o.object_type when 'task' then o.version_after else (o.told ->> 'version')::integer end,
        case when o.told is not null then (
            select coalesce(jsonb_object_agg(m.key, m.value), '{}') from jsonb_each(o.told - 'words' - 'version') m
            where m.key = any(o.members)
        ) || jsonb_build_object('words', (
            select coalesce(jsonb_agg(w), '[]') from jsonb_array_elements_text(o.told -> 'words') w
            where w = any(o.members)
        )) end,
        case when o.said then o.words end, case when o.said then o.words_key end,
        case when o.said then o.words_sealed end,
        case when o.kind = 'task.commented' then o.person end,
        case when o.kind = 'task.commented' then o.person_key end,
        case when o.kind = 'task.commented' then o.person_sealed end
    from left_over o
$$

create function app.remains_of(wanted integer) returns text language sql stable
set search_path = pg_catalog, public, pg_temp set "TimeZone" = 'UTC' set bytea_output = 'hex' as $$
    select encode(sha256(coalesce(string_agg(sha256(convert_to(jsonb_build_array(r.id, r.index, r.kind, r.task_id,
        r.comment_id, r.agency, r.effective_at, r.recorded_at, r.version, r.state, r.words, r.words_key, r.words_sealed,
        r.person, r.person_key, r.person_sealed)::text, 'UTF8')), ''::bytea order by r.index), ''::bytea)), 'hex')
    from retired_fact r where r.id >= app.first_id(wanted) and r.id < app.first_id(wanted + 1)
$$
"""

# By who owns the tables alone, who writes what is left without being told it, and reads no fact: the worker does, by a
# function that it may alter, so that one is asked for as it was made. The triggers of rows were its parent's and go with
# it: it has one of its own by then. Not concurrently, which PostgreSQL refuses beside a default partition.
RETIRE = """
create function app.keeps() returns boolean language sql stable
return current_setting('app.keeping', true) = 'on'
    and current_user = (select pg_get_userbyid(relowner) from pg_class where oid = to_regclass('public.retired_fact'))

create function app.keep_year(wanted integer, facts bigint, until bigint, told_from timestamptz, digest text)
returns text language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    remains text;
begin
    if not exists (select from pg_proc where oid = 'app.left_over(integer)'::regprocedure and prosecdef
            and proconfig = array['search_path=pg_catalog, public, pg_temp']) then
        raise exception 'app.left_over was altered' using errcode = '42501';
    end if;
    perform set_config('app.keeping', 'on', true);
    insert into retired_fact select * from app.left_over(wanted);
    remains := app.remains_of(wanted);
    perform set_config('app.keeping', '', true);
    insert into retired_year (year, relation, facts, until, told_from, digest, remains)
        values (wanted, format('years.event_%s', wanted)::regclass, facts, until, told_from, digest, remains);
    return remains;
end $$

create function app.detach_year(wanted integer) returns void language plpgsql set lock_timeout = '2s' as $$
declare
    part text := 'years.event_' || wanted;
begin
    if not exists (select from app.retirements() r where r.year = wanted and r.relation = part::regclass) then
        raise exception 'the log does not say that % is retired', wanted using errcode = '42501';
    end if;
    execute format('create trigger keep_retired before update or delete on %s for each row'
        ' execute function public.keep_facts()', part);
    execute format('alter table %s enable always trigger keep_retired', part);
    execute format('alter table public.event detach partition %s', part);
end $$

revoke execute on function app.detach_year(integer), app.left_over(integer),
    app.keep_year(integer, bigint, bigint, timestamptz, text) from public
"""

#: Functions, those first that call or return what the later ones are.
MADE = (
    "app.detach_year(integer)",
    "app.keep_year(integer, bigint, bigint, timestamptz, text)",
    "app.left_over(integer)",
    "app.remains_of(integer)",
    "app.fate_of(oid)",
    "app.retirements()",
)

GUARD = """
create trigger keep_facts before update or delete on {table} for each row execute function keep_facts()

create trigger keep_facts_whole before truncate on {table} for each statement execute function keep_facts()

alter table {table} enable always trigger keep_facts, enable always trigger keep_facts_whole
"""

RAISE = """
create procedure app.raise_retirement_walls() language plpgsql as $$
declare
    keeper name := current_user;
begin
    if not app.stand() or exists (select from pg_policies where tablename = 'retired_fact' and schemaname = 'public') then
        return;
    end if;
    alter table retired_fact enable row level security;
    alter table retired_fact force row level security;
    grant select on retired_fact, retired_year to simpul_worker;
    create policy keeps on retired_fact using ((select app.keeps())) with check ((select app.keeps()));
    create policy works on retired_fact to simpul_worker using (true) with check (true);
    create policy may_select on retired_fact for select to simpul_api using (app.sees_past(task_id, recorded_at));
    grant select on retired_fact, retired_year to simpul_api;
    grant create on schema app to simpul_worker;
    alter function app.fate_of(oid) owner to simpul_worker;
    alter function app.retirements() owner to simpul_worker;
    alter function app.left_over(integer) owner to simpul_worker;
    revoke create on schema app from simpul_worker;
    perform app.become('simpul_worker');
    execute format('grant execute on function app.left_over(integer) to %I', keeper);
    perform set_config('role', 'none', true);
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_retirement

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_retirement() || array(
    select 'row-level security on ' || c.oid::regclass from pg_class c
    where (c.oid = to_regclass('retired_fact') or c.relnamespace = to_regnamespace('years') and c.relkind = 'r'
            and not c.relispartition)
        and not (c.relrowsecurity and c.relforcerowsecurity)
    union all select 'trigger ' || g || ' on ' || t
    from unnest(array['retired_fact', 'retired_year']) t, unnest(array['keep_facts', 'keep_facts_whole']) g
    where not exists (select from pg_trigger where tgrelid = to_regclass(t) and tgname = g and tgenabled = 'A')
    union all select 'trigger ' || g || ' on ' || c.oid::regclass
    from pg_class c join retired_year r on c.relname = 'event_' || r.year, unnest(array['keep_retired', 'keep_facts_whole']) g
    where c.relnamespace = to_regnamespace('years') and not c.relispartition and not exists (select from pg_trigger where tgrelid = c.oid and tgname = g and tgenabled = 'A')
)

call app.raise_walls()
"""


def upgrade() -> None:
    """Make room for what is left of retired facts, and tell the past from them as well."""
    op.create_table(
        "retired_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("relation", postgresql.OID(), nullable=False),
        sa.Column("facts", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("told_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("remains", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("year", name="pk_retired_year"),
    )
    op.create_table(
        "retired_fact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("comment_id", sa.Uuid(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("state", postgresql.JSONB(), nullable=True),
        sa.Column("words", postgresql.JSONB(), nullable=True),
        sa.Column("words_key", sa.Uuid(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("person_key", sa.Uuid(), nullable=True),
        sa.Column("person_sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["agency"], ["agency.code"], name="fk_retired_fact_agency"),
        sa.ForeignKeyConstraint(["words_key"], ["sealing_key.id"], name="fk_retired_fact_words_key"),
        sa.ForeignKeyConstraint(["person_key"], ["sealing_key.id"], name="fk_retired_fact_person_key"),
        sa.PrimaryKeyConstraint("id", name="pk_retired_fact"),
    )
    op.create_index("ix_retired_fact_task_id", "retired_fact", ["task_id", "index"], unique=False)
    op.execute(
        "comment on index ix_retired_fact_task_id is"
        " 'showTaskHistory, listTaskComments, app.state_of: what is left of the retired facts of a task'"
    )
    for table in ("retired_year", "retired_fact"):
        _run(GUARD.format(table=table))
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS)
    _tell(FACTS.rstrip() + RETIRED, UNTOLD)
    for part in (DECLARED, LEFT_OVER, RETIRE):
        _run(part)
    op.execute(KEEP_EVIDENCE.format(kept=KEPT))
    _run(RAISE)


def _tell(facts: str, untold: str) -> None:
    """Replace the function by who owns it, which is the worker where the walls stand: not everybody inherits that."""
    may = "do $$ begin if app.stand() then {} create on schema app {} simpul_worker; end if; end $$"
    op.execute(may.format("grant", "to"))
    op.execute("select app.become('simpul_worker')")
    op.execute(STATE_OF.format(facts=facts.rstrip(), untold=untold, seen=SEEN, unrecused=UNRECUSED))
    op.execute("select set_config('role', 'none', true)")
    op.execute(may.format("revoke", "from"))


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back, unless a year was retired: its facts don't come back."""
    op.execute(
        "do $$ begin if exists (select from retired_year) then"
        " raise exception 'a year was retired: its facts do not come back'; end if; end $$"
    )
    op.execute(KEEP_EVIDENCE_BEFORE.format(kept=KEPT_BEFORE))
    op.execute("drop procedure app.raise_retirement_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_retirement() rename to missing_walls")
    for one in MADE:
        op.execute(f"drop function {one}")
    _tell(FACTS, "")
    op.execute(WIDEN)
    op.create_check_constraint(op.f("ck_event_kind_known"), "event", KINDS_BEFORE)
    op.drop_table("retired_fact")
    op.drop_table("retired_year")
    op.execute("drop function app.keeps()")
