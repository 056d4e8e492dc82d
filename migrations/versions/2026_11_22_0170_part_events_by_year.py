"""Part the facts by the years in which they were entered, so that one that is over can be frozen and moved as a whole.

Ids are UUIDv7: they begin with the time, so a year is a range of the primary key, and whoever has an id looks into one
year only. The years are tables of a schema that neither role may enter: the walls around `event` are those of them all.
"""

from __future__ import annotations

from alembic import op

revision = "years_1"
down_revision = "raising_1"
branch_labels = None
depends_on = None

# in one transaction with what it would refuse; whoever owns no superuser's rights can't disable the event trigger itself
LIFT = """
create or replace function app.keep_evidence() returns event_trigger language plpgsql as $$
begin
end $$
"""
KEEP_EVIDENCE = """
create or replace function app.keep_evidence() returns event_trigger language plpgsql as $$
begin
    if exists (select from pg_event_trigger_dropped_objects() d
        where d.object_type in ('table', 'table column', 'trigger')
                and d.object_identity ~ '{kept}'
            or d.object_identity ~ '^public\\.({functions})\\(') then
        raise exception 'evidence is not dropped' using errcode = '42501';
    end if;
end $$
"""
KEPT = r"(^|on )(public\.(event|log_entry|log_node|log_head|cosignature)|years\.\w+)(\.|$)"
KEPT_BEFORE = r"(^|on )public\.(event|log_entry|log_node|log_head|cosignature)(\.|$)"

# every fact is copied, and the service waits: as long as that takes, in this transaction only
AT_LEISURE = "set local statement_timeout = 0"
BRIEFLY = "set local statement_timeout = '60s'"

YEARS = """
create schema years

create function app.first_id(year integer) returns uuid language sql stable
return (lpad(to_hex((extract(epoch from make_timestamptz(year, 1, 1, 0, 0, 0, 'UTC')) * 1000)::bigint), 12, '0')
    || repeat('0', 20))::uuid

create function app.open_year(year integer) returns boolean language plpgsql security definer
set search_path = pg_catalog, public, pg_temp set lock_timeout = '2s' as $$
declare
    part text := 'years.event_' || year;
    first uuid := app.first_id(year);
    beyond uuid := app.first_id(year + 1);
begin
    if to_regclass(part) is not null then
        return false;
    end if;
    lock table event in access exclusive mode; -- its partitions as well; another one may have waited to do the same
    if to_regclass(part) is not null then
        return false;
    end if;
    execute format('create table %s (like event including defaults including constraints including storage)', part);
    -- a parent gives its partitions the triggers of rows, not those of statements
    execute format('create trigger keep_facts_whole before truncate on %s for each statement'
        ' execute function keep_facts()', part);
    -- facts of this year that came before it was opened lie among the rest: they move, as they are
    alter table years.event_rest no force row level security;
    if exists (select from years.event_rest r where r.id >= first and r.id < beyond) then
        alter table years.event_rest disable trigger keep_facts;
        execute format('with moved as (delete from years.event_rest where id >= $1 and id < $2 returning *)'
            ' insert into %s select * from moved', part) using first, beyond;
        alter table years.event_rest enable always trigger keep_facts;
    end if;
    alter table years.event_rest force row level security;
    execute format('alter table %s enable always trigger keep_facts_whole, enable row level security,'
        ' force row level security', part);
    execute format('alter table event attach partition %s for values from (%L) to (%L)', part, first, beyond);
    return true;
end $$

create function app.keep_years() returns integer language plpgsql security definer
set search_path = pg_catalog, public, pg_temp as $$
declare
    this integer := extract(year from now() at time zone 'UTC');
begin
    return app.open_year(this)::integer + app.open_year(this + 1)::integer;
end $$

revoke execute on function app.open_year(integer), app.keep_years() from public
"""

# The table is made anew like the one there is, in whatever state earlier migrations left it: rows, defaults, checks,
# keys, indexes, triggers, policies, grants, owner, and what names it elsewhere by its number: bodies of functions and
# policies of other tables. What this does not know of holds the old table fast, and the migration fails.
REMAKE = """
create procedure app.remake_event(how text) language plpgsql as $$
declare
    old oid := 'event'::regclass;
    columns text;
    likeness text[];
    elsewhere text[];
    functions text[];
    step text;
begin
    lock table event in access exclusive mode;
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
        from pg_attribute where attrelid = old and attnum > 0 and not attisdropped;
    select array_agg(said order by rank, name) into likeness from (
        select 1 as rank, conname::text as name,
            format('alter table event add constraint %I %s', conname, pg_get_constraintdef(oid)) as said
            from pg_constraint where conrelid = old and contype in ('p', 'u', 'f')
        union all select 2, indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index i
            where indrelid = old and not exists (select from pg_constraint where conindid = i.indexrelid and conrelid = old)
        union all select 3, tgname, pg_get_triggerdef(oid) from pg_trigger where tgrelid = old and not tgisinternal
        union all select 4, tgname, format('alter table event %s trigger %I',
            case tgenabled when 'A' then 'enable always' when 'R' then 'enable replica' else 'disable' end, tgname)
            from pg_trigger where tgrelid = old and not tgisinternal and tgenabled <> 'O'
        union all select 5, polname, format('create policy %I on event as %s for %s to %s', polname,
            case when polpermissive then 'permissive' else 'restrictive' end,
            case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
            (select string_agg(case r when 0 then 'public' else quote_ident(pg_get_userbyid(r)) end, ', ') from unnest(polroles) r))
            || coalesce(' using (' || pg_get_expr(polqual, polrelid) || ')', '')
            || coalesce(' with check (' || pg_get_expr(polwithcheck, polrelid) || ')', '')
            from pg_policy where polrelid = old
        union all select 6, 'enabled', 'alter table event enable row level security' from pg_class where oid = old and relrowsecurity
        union all select 6, 'forced', 'alter table event force row level security' from pg_class where oid = old and relforcerowsecurity
        union all select 7, a.privilege_type, format('grant %s%s on event to %s%s', a.privilege_type, a.of,
            case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
            case when a.is_grantable then ' with grant option' else '' end)
            from (select x.*, '' as of from pg_class c, aclexplode(c.relacl) x where c.oid = old and x.grantee <> c.relowner
                union all select x.*, format(' (%I)', attname) from pg_attribute, aclexplode(attacl) x where attrelid = old) a
        union all select 8, 'said', format('comment on table event is %L', obj_description(old, 'pg_class'))
            where obj_description(old, 'pg_class') is not null
        union all select 9, 'owner', format('alter table event owner to %I', pg_get_userbyid(relowner)) from pg_class
            where oid = old and pg_get_userbyid(relowner) <> current_user
    ) known;
    select coalesce(array_agg(format('alter policy %I on %s', polname, polrelid::regclass)
            || coalesce(' using (' || pg_get_expr(polqual, polrelid) || ')', '')
            || coalesce(' with check (' || pg_get_expr(polwithcheck, polrelid) || ')', '')), '{}')
        into elsewhere from pg_policy p where polrelid <> old and exists (select from pg_depend
            where classid = 'pg_policy'::regclass and objid = p.oid and refclassid = 'pg_class'::regclass and refobjid = old);
    select coalesce(array_agg(oid::regprocedure::text), '{}') into functions from pg_proc p where exists (select from pg_depend
        where classid = 'pg_proc'::regclass and objid = p.oid and refclassid = 'pg_class'::regclass and refobjid = old);
    select elsewhere || coalesce(array_agg(said order by name, rank), '{}') into elsewhere from (
        select oid::regprocedure::text as name, 1 as rank, pg_get_functiondef(oid) as said
            from pg_proc where oid = any(functions::regprocedure[]::oid[])
        union all select oid::regprocedure::text, 2, format('revoke execute on function %s from public', oid::regprocedure)
            from pg_proc where oid = any(functions::regprocedure[]::oid[]) and proacl is not null
        union all select oid::regprocedure::text, 3, format('grant execute on function %s to %s', oid::regprocedure,
            case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end)
            from pg_proc, aclexplode(proacl) where oid = any(functions::regprocedure[]::oid[]) and grantee <> proowner
        union all select oid::regprocedure::text, 4, format('grant create on schema %1$s to %2$I; alter function %3$s owner to'
            ' %2$I; revoke create on schema %1$s from %2$I', pronamespace::regnamespace, pg_get_userbyid(proowner), oid::regprocedure)
            from pg_proc where oid = any(functions::regprocedure[]::oid[]) and pg_get_userbyid(proowner) <> current_user
    ) named;
    foreach step in array functions loop
        execute 'drop function ' || step;
    end loop;
    alter table event no force row level security; -- or its owner, who copies it, would see nothing of it
    alter table event rename to event_before;
    for step in select format('alter index %s rename to %I', indexrelid::regclass, left(relname, 56) || '_before')
        from pg_index join pg_class c on c.oid = indexrelid where indrelid = old
    loop
        execute step;
    end loop;
    execute 'create table event (like event_before including defaults including constraints including storage'
        ' including comments) ' || how;
    if how <> '' then
        create table years.event_rest partition of event default;
        create trigger keep_facts_whole before truncate on years.event_rest for each statement execute function keep_facts();
        alter table years.event_rest enable always trigger keep_facts_whole, enable row level security,
            force row level security;
        perform app.open_year(y) from generate_series(2024, extract(year from now() at time zone 'UTC')::integer + 1) y;
    end if;
    execute format('insert into event (%1$s) select %1$s from event_before order by id', columns);
    foreach step in array likeness loop
        execute step;
    end loop;
    foreach step in array elsewhere loop
        execute step;
    end loop;
    drop table event_before;
end $$
"""

# No foreign key, which a year that is set aside would have to be held against again. A fact never goes, so it is
# enough to look once, when its entry is made: only the sequencer makes them, from the very rows that it has read.
CHECK_ENTRY = """
create function check_entry() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (select from event e where e.id = new.event_id) then
        raise exception 'there is no event %', new.event_id
            using errcode = '23503', constraint = 'entry_of_event', table = 'log_entry';
    end if;
    return null;
end $$

create constraint trigger entry_of_event after insert on log_entry for each row execute function check_entry()

alter table log_entry enable always trigger entry_of_event
"""

RAISE = """
create procedure app.raise_year_walls() language plpgsql as $$
begin
    if app.stand() and not has_function_privilege('simpul_worker', 'app.keep_years()', 'execute') then
        grant execute on function app.keep_years() to simpul_worker;
    end if;
end $$

-- squawk-ignore renaming-object
alter function app.missing_walls() rename to missing_walls_before_years

create function app.missing_walls() returns text[] language sql stable
return app.missing_walls_before_years() || array(
    select 'row-level security on ' || i.inhrelid::regclass
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass('event') and not (c.relrowsecurity and c.relforcerowsecurity)
    union all select 'trigger ' || g || ' on ' || i.inhrelid::regclass
    from pg_inherits i, unnest(array['keep_facts', 'keep_facts_whole', 'queue_event']) g
    where i.inhparent = to_regclass('event')
        and not exists (select from pg_trigger where tgrelid = i.inhrelid and tgname = g and tgenabled = 'A')
    union all select 'trigger entry_of_event on log_entry' where not exists (
        select from pg_trigger where tgrelid = to_regclass('log_entry') and tgname = 'entry_of_event' and tgenabled = 'A')
    union all select format('%s at %s', r.rolname, i.inhrelid::regclass)
    from pg_inherits i, pg_roles r where i.inhparent = to_regclass('event')
        and r.rolname in ('simpul_api', 'simpul_worker')
        and has_table_privilege(r.oid, i.inhrelid, 'select, insert, update, delete, truncate, references, trigger')
)

call app.raise_walls()
"""


def upgrade() -> None:
    """Part the facts by years."""
    op.execute(LIFT)
    op.execute(AT_LEISURE)
    op.execute("-- squawk-ignore ban-drop-constraint\nalter table log_entry drop constraint fk_log_entry_event_id")
    _run(YEARS)
    _remake("partition by range (id)")
    op.execute(BRIEFLY)
    _run(CHECK_ENTRY)
    op.execute(KEEP_EVIDENCE.format(kept=KEPT, functions="keep_facts|queue_event|check_entry"))
    _run(RAISE)


def _remake(how: str) -> None:
    _run(REMAKE)
    op.execute(f"call app.remake_event('{how}')")
    op.execute("-- squawk-ignore ban-drop-function\ndrop procedure app.remake_event(text)")


def _run(statements: str) -> None:
    """Run statements that blank lines part, one at a time, as the driver wants them: no blank line inside one."""
    for statement in statements.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Put them all into one table again."""
    op.execute(LIFT)
    op.execute(AT_LEISURE)
    op.execute("drop procedure app.raise_year_walls()")
    op.execute("drop function app.missing_walls()")
    op.execute("alter function app.missing_walls_before_years() rename to missing_walls")
    op.execute("drop trigger entry_of_event on log_entry")
    op.execute("drop function check_entry()")
    _remake("")
    for function in ("keep_years()", "open_year(integer)", "first_id(integer)"):
        op.execute(f"drop function app.{function}")
    op.execute("drop schema years")
    op.create_foreign_key("fk_log_entry_event_id", "log_entry", "event", ["event_id"], ["id"])
    op.execute(BRIEFLY)
    op.execute(KEEP_EVIDENCE.format(kept=KEPT_BEFORE, functions="keep_facts|queue_event"))
