"""Raise the second wall: roles, the context of a transaction, row-level security on all that agencies own.

A row says who reads it in `readers` (and a task, of whom it shows the summary, in `summary_readers`): codes of
agencies, and words such as `region:35.73`, `coordinator:35.73`, `expert:KPU_KOTA_MALANG`, and `*` for the worker. A
caller has the words it reads by, its sight. Where the two overlap, it sees the row.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "walls_1"
down_revision = "credentials_1"
branch_labels = None
depends_on = None

# roles are of the whole cluster: made where they are missing, never dropped
ROLES = """
do $$
declare
    wanted text;
begin
    foreach wanted in array array['simpul_api', 'simpul_worker'] loop
        begin
            if to_regrole(wanted) is null then
                execute format('create role %I nologin', wanted);
            end if;
            if current_setting('server_version_num')::int >= 160000 then
                execute format('grant %I to current_user with inherit false', wanted);
            else
                execute format('grant %I to current_user', wanted);
            end if;
        exception
            when duplicate_object or unique_violation then null; -- another database of the cluster was faster
            when insufficient_privilege then -- an administrator makes and grants them, before or later
                if to_regrole(wanted) is null or not pg_has_role(current_user, wanted, 'member') then
                    raise warning 'no membership in role %: the second wall stays down', wanted;
                end if;
        end;
    end loop;
end $$
"""

CONTEXT = """
create schema app

create function app.told(name text) returns text language sql stable parallel safe
return nullif(current_setting('app.' || name, true), '')

create function app.listed(name text) returns text[] language sql stable parallel safe
return coalesce(string_to_array(app.told(name), ','), '{}')

create function app.client() returns uuid language sql stable parallel safe return app.told('client')::uuid

create function app.agency() returns text language sql stable parallel safe return app.told('agency')

create function app.role() returns text language sql stable parallel safe return app.told('role')

create function app.office() returns text language sql stable parallel safe return coalesce(app.told('office'), '')

create function app.cleared() returns boolean language sql stable parallel safe
return coalesce(app.told('cleared')::boolean, false)

create function app.acts_for() returns text[] language sql stable parallel safe return app.listed('acts_for')

create function app.sight() returns text[] language sql stable parallel safe return app.listed('sight')

create function app.own_sight() returns text[] language sql stable parallel safe return app.listed('own_sight')

create function app.at_work() returns uuid[] language sql stable parallel safe return app.listed('at_work')::uuid[]

create function app.stand() returns boolean language sql stable parallel safe
return has_schema_privilege(to_regrole('simpul_api'), 'app', 'usage') is true

create function app.epochs(of_agency integer, of_client integer) returns text language sql stable
return concat_ws('.', (select number from epoch), coalesce(of_agency, 0), of_client)

create function app.become(wanted text) returns void language plpgsql as $$
begin
    if app.stand() and pg_has_role(session_user, to_regrole(wanted), 'member') then
        perform set_config('role', wanted, true);
    end if;
end $$

create function app.work() returns void language plpgsql as $$
begin
    perform app.become('simpul_worker');
    if current_user = 'simpul_worker' or not app.stand() then
        perform set_config('app.sight', '*', true), set_config('app.own_sight', '*', true),
            set_config('app.cleared', 'true', true);
    end if;
end $$

create function app.claim(claimed uuid) returns void language plpgsql as $$
begin
    perform app.become('simpul_api');
    perform set_config('app.client', claimed::text, true);
    perform set_config('app.agency', coalesce((select agency from client where id = claimed), ''), true);
end $$
"""

# in one round trip: who holds a token as the database knows it now, and the context of what follows
ENTER = """
create function app.enter(claimed uuid, proof uuid, token uuid, as_role text, in_epoch text) returns table (
    id uuid, agency text, role text, clearance text, status text, networks text[], suspended boolean, office text,
    coordinator boolean, bodies text[], regions text[], nationwide boolean, stands boolean, credential uuid,
    credential_ends timestamptz
) language plpgsql as $$
declare
    it record;
    acts text[];
    places text[];
    own text[];
begin
    perform app.become('simpul_api');
    perform set_config('app.client', claimed::text, true);
    select c.id, c.agency, c.role, c.clearance, c.status, c.networks, a.suspended,
        a.office || '@' || a.tier as office, a.coordinator,
        array(select m.body from member m join agency b on b.code = m.body
            where m.agency = c.agency and not b.suspended order by m.body) as bodies, a.regions,
        coalesce(a.regions = '{}', false) as nationwide,
        app.epochs(a.epoch, c.epoch) = in_epoch
            and not exists (select from revoked_token r where r.jti = token) and c.status = 'active' as stands,
        coalesce((select s.expires_at from client_secret s
                where s.id = proof and s.client_id = c.id and s.revoked_at is null),
            (select k.expires_at from client_key k
                where k.id = proof and k.client_id = c.id and k.revoked_at is null)) as credential_ends
    into it from client c left join agency a on a.code = c.agency where c.id = claimed;
    if not found then
        return;
    end if;
    it.stands := it.stands and coalesce(it.credential_ends > now(), false);
    if it.stands and it.suspended is not true then
        acts := case when it.agency is null then '{}' else it.agency || it.bodies end;
        places := case when it.nationwide then array[''] else coalesce(it.regions, '{}') end;
        if as_role = 'expert' then
            own := array(select 'expert:' || one from unnest(acts) one);
        else
            own := acts[1:1] || array(select 'region:' || place from unnest(places) place);
        end if;
        perform set_config('app.agency', coalesce(it.agency, ''), true),
            set_config('app.role', as_role, true),
            set_config('app.office', coalesce(it.office, ''), true),
            set_config('app.cleared', (it.clearance = 'rahasia')::text, true),
            set_config('app.acts_for', array_to_string(acts, ','), true),
            set_config('app.own_sight', array_to_string(own, ','), true),
            set_config('app.sight', array_to_string(case when as_role = 'expert' then own
                when it.coordinator then own || acts[2:]
                    || array(select 'coordinator:' || place from unnest(places) place)
                else own || acts[2:] end, ','), true);
    end if;
    return query select it.id, it.agency, it.role, it.clearance, it.status, it.networks, it.suspended, it.office,
        it.coordinator, it.bodies, it.regions, it.nationwide, it.stands, proof, it.credential_ends;
end $$
"""

# who reads a task, from its parties, shares and past
READERS = """
create function app.readers_of(subject uuid) returns table (readers text[], summary_readers text[])
language sql stable begin atomic
    with facts as (
        select array(select distinct a from unnest(
                array[t.logged_by, t.accountable, r.to_agency] || t.supporting || t.informed
                || array(select s.agency from share s where s.task_id = t.id and s.level = 'full' and t.status <> 'draft')
                || array(select f.from_agency from referral f
                    where f.task_id = t.id and f.status = 'accepted' and f.retain_access)
            ) a where a is not null) as parties,
            array(select distinct a from unnest(
                array(select s.agency from share s
                    where s.task_id = t.id and s.level = 'summary' and t.status <> 'draft')
                || array(select s.agency from assignment s where s.task_id = t.id and s.role = 'accountable')
                || array(select f.to_agency from referral f where f.task_id = t.id and f.status = 'returned')
            ) a) as past,
            array(select 'expert:' || s.agency from share s
                where s.task_id = t.id and s.level = 'full' and t.status <> 'draft') as experts,
            array(select p from unnest(t.region_path || ''::text) p where t.status <> 'draft') as places,
            t.classification
        from task t left join referral r on r.id = t.open_referral where t.id = subject
    )
    select array(select unnest(parties) union select unnest(experts) union select '*'
            union select 'region:' || p from unnest(places) p where classification = 'terbuka' order by 1),
        array(select unnest(past) except select unnest(parties)
            union select 'coordinator:' || p from unnest(places) p where classification = 'terbatas' order by 1)
    from facts;
end

create function app.keep_readers(subject uuid) returns void language plpgsql security definer
set search_path = pg_catalog, public, pg_temp as $$
begin
    update task t set readers = f.readers, summary_readers = f.summary_readers
    from app.readers_of(subject) f where t.id = subject;
    update referral r set task_reference = t.reference, classification = t.classification,
        recused_offices = t.recused_offices,
        readers = array(select unnest(t.readers) union select unnest(array[r.from_agency, r.to_agency]) order by 1)
    from task t where t.id = subject and r.task_id = t.id;
end $$
"""

# the register: a vulnerability is read by who mapped it, a meeting by who was there
REGISTER = """
create function keep_register_readers() returns trigger language plpgsql as $$
declare
    row_ jsonb := to_jsonb(new);
    places text[] := region_path(new.region_code) || ''::text;
begin
    new.readers := array(
        select unnest(array[row_ ->> 'logged_by', row_ ->> 'mapped_by', row_ ->> 'host'])
        union select p ->> 'agency' from jsonb_array_elements(coalesce(row_ -> 'participants', '[]')) p
        union select case new.classification when 'terbuka' then 'region:' else 'coordinator:' end || p
            from unnest(places) p where new.classification <> 'rahasia'
        order by 1
    );
    new.readers := array_remove(new.readers, null);
    return new;
end $$

create trigger keep_register_readers before insert or update on vulnerability
for each row execute function keep_register_readers()

create trigger keep_register_readers before insert or update on meeting
for each row execute function keep_register_readers()
"""

# what must be known beyond one's own sight, and no more than that
DEFINED = """
create function app.has_client(body text) returns boolean language sql stable security definer
set search_path = pg_catalog, public, pg_temp begin atomic
    select exists (select from client c where c.status = 'active' and (c.agency = body
        or c.agency in (select m.agency from member m where m.body = has_client.body)));
end

create function app.registered_origins() returns table (origin text, agency text)
language sql stable security definer set search_path = pg_catalog, public, pg_temp begin atomic
    -- each agency's oldest ones: nobody crowds out the origins of another
    select named.origin, named.agency from (
        select o.origin, c.agency, row_number() over (partition by c.agency order by min(c.recorded_at), o.origin) as place
        from client c cross join unnest(c.origins) o (origin) left join agency a on a.code = c.agency
        where c.status = 'active' and a.suspended is not true group by o.origin, c.agency
    ) named where named.place <= 200;
end

create function app.reference_taken(wanted text) returns boolean language sql stable security definer
set search_path = pg_catalog, public, pg_temp begin atomic
    select exists (select from task where reference = wanted);
end

create function app.handed_over(subject uuid) returns timestamptz language sql stable security definer
set search_path = pg_catalog, public, pg_temp begin atomic
    select max(a.ended_recorded_at) from assignment a
    where a.task_id = subject and a.role = 'accountable' and a.agency = any(app.acts_for());
end

create function app.there(subject uuid) returns boolean language sql stable security definer
set search_path = pg_catalog, public, pg_temp begin atomic
    select exists (select from task where id = subject) or exists (select from vulnerability where id = subject)
        or exists (select from meeting where id = subject);
end

create function app.take_up(subject uuid) returns uuid language plpgsql as $$
begin
    if app.there(subject) and not exists (select from task where id = subject)
        and not exists (select from vulnerability where id = subject)
        and not exists (select from meeting where id = subject) then
        raise exception 'what is not seen is not worked on' using errcode = '42501';
    end if;
    perform set_config('app.at_work', concat_ws(',', app.told('at_work'), subject), true);
    return subject;
end $$
"""

# what only full readers see of a task, as a relation of its own
DETAIL = """
create view task_detail with (security_barrier) as
select * from task t
where t.id = any((select app.at_work())::uuid[])
    or ((t.classification <> 'rahasia' or (select app.cleared())) and t.readers && (select app.sight())
        and (not (select app.office()) = any(t.recused_offices) or t.readers && (select app.own_sight())))
"""

# asked row by row of the few rows of one task: as functions they keep the plans of hot queries small
ASKED = """
create function app.works_on(subject uuid) returns boolean language plpgsql stable as $$
begin
    return subject = any(app.at_work());
end $$

create function app.sees_whole(subject uuid) returns boolean language plpgsql stable as $$
begin
    return subject = any(app.at_work()) or exists (select from task_detail d where d.id = subject);
end $$

create function app.sees_past(subject uuid, moment timestamptz) returns boolean language plpgsql stable as $$
begin
    return app.sees_whole(subject)
        or moment <= app.handed_over(subject) and exists (select from task t where t.id = subject);
end $$

create function app.sees(subject uuid) returns boolean language plpgsql stable as $$
begin
    return exists (select from task t where t.id = subject);
end $$

create function app.sees_client(subject uuid) returns boolean language plpgsql stable as $$
begin
    return subject = app.client() or exists (select from client c where c.id = subject);
end $$

create function app.acts_as(code text) returns boolean language plpgsql stable as $$
begin
    return code = any(app.acts_for());
end $$
"""

SEEN = "(classification <> 'rahasia' or (select app.cleared()))"
UNRECUSED = "(not (select app.office()) = any(recused_offices) or {words} && (select app.own_sight()))"
AT_WORK = "{} = any((select app.at_work())::uuid[])"
OF_TASK = "app.sees_past(task_id, recorded_at)"
WORKED_ON = "app.works_on(task_id)"
OWN_CLIENT = "client_id = app.client()"
CLIENT = "((select app.role()) = 'operator' or (select app.role()) = 'agency_admin' and agency = (select app.agency()))"
REGISTERED = f"({AT_WORK.format('id')} or {SEEN} and readers && (select app.sight()))"

#: table -> command -> what the row must satisfy (for INSERT: the new row); commands not named are not granted
POLICIES: dict[str, dict[str, str]] = {
    "task": {
        "select": f"({AT_WORK.format('id')} or {SEEN} and ("
        f"readers && (select app.sight()) and {UNRECUSED.format(words='readers')}"
        f" or summary_readers && (select app.sight()) and {UNRECUSED.format(words='summary_readers')}))",
        "insert": f"{AT_WORK.format('id')} and app.acts_as(logged_by)",
        "update": AT_WORK.format("id"),
    },
    "referral": {
        "select": f"({AT_WORK.format('task_id')} or {SEEN} and readers && (select app.sight())"
        f" and {UNRECUSED.format(words='readers')})",
        "insert": WORKED_ON,
        "update": WORKED_ON,
    },
    "assignment": {
        "select": f"({OF_TASK} or app.acts_as(agency) and app.sees(task_id))",
        "insert": WORKED_ON,
        "update": WORKED_ON,
    },
    "share": {
        "select": "(app.sees_whole(task_id) or app.acts_as(agency) and app.sees(task_id))",
        "insert": WORKED_ON,
        "update": WORKED_ON,
        "delete": WORKED_ON,
    },
    "comment": {"select": OF_TASK, "insert": f"{WORKED_ON} and app.acts_as(agency)"},
    "task_vulnerability": {"select": "app.sees_whole(task_id)", "insert": WORKED_ON, "delete": WORKED_ON},
    "vulnerability": {
        "select": REGISTERED,
        "insert": f"{AT_WORK.format('id')} and app.acts_as(logged_by)",
        "update": AT_WORK.format("id"),
    },
    "vulnerability_evidence": {
        "select": "exists (select from vulnerability v where v.id = vulnerability_id)",
        "insert": "app.works_on(vulnerability_id)",
    },
    "meeting": {
        "select": REGISTERED,
        "insert": f"{AT_WORK.format('id')} and app.acts_as(logged_by)",
        "update": AT_WORK.format("id"),
    },
    "decision": {
        "select": "exists (select from meeting m where m.id = meeting_id)",
        "insert": "app.works_on(meeting_id)",
    },
    "event": {
        "select": f"case when task_id is not null then {OF_TASK}"
        " when object_type = 'vulnerability' then exists (select from vulnerability v where v.id::text = object_id)"
        " when object_type = 'meeting' then exists (select from meeting m where m.id::text = object_id)"
        " else app.role() = 'operator' or agency = app.agency() or client_id = app.client() end",
        "insert": "agency is not distinct from (select app.agency())",
    },
    "client": {
        "select": f"(id = (select app.client()) or {CLIENT})",
        "insert": CLIENT,
        "update": f"(id = (select app.client()) or {CLIENT})",
    },
    "client_secret": {
        "select": "app.sees_client(client_id)",
        "insert": "app.sees_client(client_id)",
        "update": "app.sees_client(client_id)",
    },
    "client_key": {
        "select": "app.sees_client(client_id)",
        "insert": "app.sees_client(client_id)",
        "update": "app.sees_client(client_id)",
    },
    "used_assertion": {"select": OWN_CLIENT, "insert": OWN_CLIENT},
    "revoked_token": {"select": OWN_CLIENT, "insert": OWN_CLIENT},
    "idempotency_record": {"select": OWN_CLIENT, "insert": OWN_CLIENT, "update": OWN_CLIENT},
}
#: what everybody who has a token may read, and operators may write where a row of the policy says so
PUBLIC = {
    "agency": "select, insert, update",
    "agency_region": "select",
    "agency_type": "select",
    "alembic_version": "select",
    "category": "select",
    "closing_requirement": "select",
    "deadline_rule": "select",
    "election": "select, insert, update",
    "enumeration": "select",
    "enumeration_value": "select",
    "epoch": "select, update",
    "escalation": "select",
    "holiday": "select",
    "legal_instrument": "select, insert, update",
    "mandate": "select, insert, update",
    "member": "select",
    "recusal": "select",
    "region": "select",
    "signing_key": "select",
    "stage": "select, insert, update",
}
#: of a task itself the API role reads only what its summary shows and what keys, sorts, joins and filters need
TASK_COLUMNS = (
    "id, reference, category, function, region_code, region_path, status, priority, accountable, due_at,"
    " classification, readers, summary_readers, recused_offices, open_referral, accepted_at, last_effective_at,"
    " effective_at, recorded_at, updated_at, version, holder, logged_by, external_reference, meeting, decision"
)
DEFINERS = (
    "app.keep_readers(uuid)",
    "app.has_client(text)",
    "app.registered_origins()",
    "app.reference_taken(text)",
    "app.handed_over(uuid)",
    "app.there(uuid)",
    "check_accountability()",
    "keep_agency_regions()",
)


def _walls() -> str:
    """What raises the walls, once, where the roles can be had; a later table brings its own in its migration."""
    lines = []
    for table, commands in POLICIES.items():
        lines += [
            f"alter table {table} enable row level security;",
            f"alter table {table} force row level security;",
            f"grant select, insert, update, delete on {table} to simpul_worker;",
            f"create policy works on {table} to simpul_worker using (true) with check (true);",
        ]
        for command, rule in commands.items():
            clause = "with check" if command == "insert" else "using"
            extra = " with check (true)" if command == "update" else ""
            lines.append(
                f"create policy may_{command} on {table} for {command} to simpul_api {clause} ({rule}){extra};"
            )
        granted = ", ".join(command for command in commands if (table, command) != ("task", "select"))
        lines.append(f"grant {granted} on {table} to simpul_api;")
    lines.append(f"grant select ({TASK_COLUMNS}) on task to simpul_api;")
    lines += [f"grant {rights} on {table} to simpul_api;" for table, rights in PUBLIC.items()]
    lines += [f"grant select, insert, update, delete on {table} to simpul_worker;" for table in PUBLIC]
    lines += [
        "grant select on task_detail to simpul_api;",  # while it is still ours: an owner need not inherit what the worker may
        "alter view task_detail owner to simpul_worker;",
        *(
            f"alter function {one} owner to simpul_worker; revoke execute on function {one} from public;"
            f" grant execute on function {one} to simpul_api, simpul_worker;"
            for one in DEFINERS
        ),
        "grant usage on schema app to simpul_api, simpul_worker;",
    ]
    return "\n        ".join(lines)


RAISE = f"""
create function app.missing_walls() returns text[] language sql stable
return array(
    select 'role ' || r from unnest(array['simpul_api', 'simpul_worker']) r where to_regrole(r) is null
    union all select format('membership of %s in %s', who, r)
    from (values (session_user::text, 'simpul_api'), (pg_get_userbyid((
        select nspowner from pg_namespace where nspname = 'app')), 'simpul_worker')) needed (who, r)
    where pg_has_role(who::name, to_regrole(r), 'member') is false
    union all select 'row-level security on ' || t from unnest(array[{", ".join(repr(one) for one in POLICIES)}]) t
    where not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = to_regclass(t))
)

create procedure app.raise_walls() language plpgsql as $$
begin
    if to_regrole('simpul_api') is null or to_regrole('simpul_worker') is null
        or not pg_has_role(current_user, to_regrole('simpul_worker'), 'member')
        or exists (select from pg_policies where policyname = 'works' and schemaname = 'public') then
        return;
    end if;
    grant create on schema public, app to simpul_worker;
    {_walls()}
    revoke create on schema public, app from simpul_worker;
end $$

call app.raise_walls()
"""


# nothing was released before this: the tables hold what the first start loads
SMALL_YET = "-- squawk-ignore require-concurrent-index-deletion\n"


def upgrade() -> None:
    """Raise the second wall."""
    op.add_column("referral", sa.Column("task_reference", sa.Text(), server_default="", nullable=False))
    op.add_column("referral", sa.Column("classification", sa.Text(), server_default="rahasia", nullable=False))
    op.add_column("referral", sa.Column("recused_offices", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column("referral", sa.Column("readers", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    # region filters ask for a range of codes: `@>` is not leakproof and would lose its index
    op.execute(f"{SMALL_YET}drop index ix_task_region_path")
    op.create_index("ix_task_region_code", "task", ["region_code"], unique=False)
    op.create_index("ix_referral_readers", "referral", ["readers"], unique=False, postgresql_using="gin")
    for part in (ROLES, CONTEXT, ENTER, READERS, REGISTER, DEFINED, DETAIL, ASKED):
        _run(part)
    op.execute("alter function check_accountability() security definer set search_path = pg_catalog, public, pg_temp")
    op.execute("alter function keep_agency_regions() security definer set search_path = pg_catalog, public, pg_temp")
    op.execute("update vulnerability set readers = readers")
    op.execute("update meeting set readers = readers")
    op.execute("select app.keep_readers(id) from task")
    _run(RAISE)


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back; the roles stay, for they are of the whole cluster."""
    for table, commands in POLICIES.items():
        for policy in ("works", *(f"may_{command}" for command in commands)):
            op.execute(f"drop policy if exists {policy} on {table}")
        op.execute(f"alter table {table} no force row level security")
        op.execute(f"alter table {table} disable row level security")
        op.execute(f"revoke all on {table} from simpul_api, simpul_worker")
    for table in PUBLIC:
        op.execute(f"revoke all on {table} from simpul_api, simpul_worker")
    for table in ("vulnerability", "meeting"):
        op.execute(f"drop trigger keep_register_readers on {table}")
    op.execute("drop function keep_register_readers()")
    op.execute("drop view task_detail")
    op.execute("drop schema app cascade")
    for function in ("check_accountability()", "keep_agency_regions()"):
        op.execute(f"alter function {function} owner to current_user")
        op.execute(f"alter function {function} security invoker reset search_path")
    op.drop_index("ix_task_region_code", table_name="task")
    op.create_index("ix_task_region_path", "task", ["region_path"], unique=False, postgresql_using="gin")
    for column in ("readers", "recused_offices", "classification", "task_reference"):
        op.drop_column("referral", column)
