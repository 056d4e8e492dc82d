"""Fewer round trips: readers with the task, the kept answer with its lock, who asks with the beginning."""

from __future__ import annotations

from alembic import op

revision = "starting_1"
down_revision = "chosen_1"
branch_labels = None
depends_on = None

# who reads a task of these parties, and who its summary: of one that is yet to be entered too
AMONG = """
create function app.readers_among(parties text[], experts text[], places text[], class text) returns text[]
language sql immutable parallel safe return array(
    select one from unnest(parties) one where one is not null union select unnest(experts) union select '*'
    union select 'region:' || p from unnest(places) p where class = 'terbuka' order by 1
)
"""
SUMMARY_AMONG = """
create function app.summary_readers_among(past text[], parties text[], places text[], class text) returns text[]
language sql immutable parallel safe return array(
    select one from unnest(past) one where one <> all(array_remove(parties, null))
    union select 'coordinator:' || p from unnest(places) p where class = 'terbatas' order by 1
)
"""
READERS_OF = """
create or replace function app.readers_of(subject uuid) returns table (readers text[], summary_readers text[])
language sql stable begin atomic
    with facts as (
        select array[t.logged_by, t.accountable, r.to_agency] || t.supporting || t.informed
                || array(select s.agency from share s where s.task_id = t.id and s.level = 'full' and t.status <> 'draft')
                || array(select f.from_agency from referral f
                    where f.task_id = t.id and f.status = 'accepted' and f.retain_access) as parties,
            array(select s.agency from share s
                    where s.task_id = t.id and s.level = 'summary' and t.status <> 'draft')
                || array(select s.agency from assignment s where s.task_id = t.id and s.role = 'accountable')
                || array(select f.to_agency from referral f where f.task_id = t.id and f.status = 'returned') as past,
            array(select 'expert:' || s.agency from share s
                where s.task_id = t.id and s.level = 'full' and t.status <> 'draft') as experts,
            case when t.status = 'draft' then '{}' else t.region_path || ''::text end as places,
            t.classification
        from task t left join referral r on r.id = t.open_referral where t.id = subject
    )
    select app.readers_among(parties, experts, places, classification),
        app.summary_readers_among(past, parties, places, classification)
    from facts;
end
"""
# what does not change who reads writes nothing: each index of a task takes part in each of its versions
KEEP = """
create or replace function app.keep_readers(subject uuid) returns void language plpgsql security definer
set search_path = pg_catalog, public, pg_temp as $$
begin
    update task t set readers = f.readers, summary_readers = f.summary_readers
    from app.readers_of(subject) f
    where t.id = subject and (t.readers <> f.readers or t.summary_readers <> f.summary_readers);
    update referral r set task_reference = t.reference, classification = t.classification,
        recused_offices = t.recused_offices, readers = f.readers
    from task t cross join lateral (
        select r.id, array(select unnest(t.readers) union select unnest(array[r.from_agency, r.to_agency]) order by 1)
            as readers
        from referral r where r.task_id = subject
    ) f
    where t.id = subject and r.id = f.id
        and (r.task_reference, r.classification, r.recused_offices, r.readers)
            is distinct from (t.reference, t.classification, t.recused_offices, f.readers);
end $$
"""
REFERRAL = """
create function app.read_referral_as_task() returns trigger language plpgsql security definer
set search_path = pg_catalog, public, pg_temp as $$
begin
    select t.reference, t.classification, t.recused_offices,
        array(select unnest(t.readers) union select unnest(array[new.from_agency, new.to_agency]) order by 1)
    into new.task_reference, new.classification, new.recused_offices, new.readers from task t where t.id = new.task_id;
    return new;
end $$
"""
OF_EACH = """
create trigger read_referral_as_task before insert on referral
for each row execute function app.read_referral_as_task()
"""
# what another transaction kept before it let go of the lock is seen by the query after it, not by one with it
KEPT = """
create function app.kept_answer(lock bigint, name text, of_client uuid, of_key bytea)
returns table (mine boolean, request_hash bytea, answer bytea) language plpgsql as $$
begin
    mine := pg_try_advisory_xact_lock(hashtextextended(name, lock));
    if mine then
        select k.request_hash, k.answer into request_hash, answer from idempotency_record k
        where k.client_id = of_client and k.key_hash = of_key and k.expires_at > now();
    end if;
    return next;
end $$
"""
# whoever was told who holds a token asks, in the message that begins a transaction, whether that still holds
AGAIN = """
create function app.enter_again(claimed uuid, proof uuid, token uuid, as_role text, in_epoch text, told text)
returns void language plpgsql as $$
begin
    if (select md5(e::text) from app.enter(claimed, proof, token, as_role, in_epoch) e) is distinct from told then
        raise exception 'who holds the token has changed' using errcode = 'SI001';
    end if;
end $$
"""
RAISE = """
create procedure app.raise_starting_walls() language plpgsql as $$
begin
    if not app.stand() then
        return;
    end if;
    grant create on schema app to simpul_worker;
    alter function app.read_referral_as_task() owner to simpul_worker;
    revoke create on schema app from simpul_worker;
end $$
"""
OLD_KEEP = """
create or replace function app.keep_readers(subject uuid) returns void language plpgsql security definer
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
OLD_READERS_OF = """
create or replace function app.readers_of(subject uuid) returns table (readers text[], summary_readers text[])
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
"""


def _keep(function: str) -> None:
    """Replace the function by who owns it, which is the worker where the walls stand: not everybody inherits that."""
    may = "do $$ begin if app.stand() then {} create on schema app {} simpul_worker; end if; end $$"
    op.execute(may.format("grant", "to"))
    op.execute("select app.become('simpul_worker')")
    op.execute(function)
    op.execute("select set_config('role', 'none', true)")
    op.execute(may.format("revoke", "from"))


def upgrade() -> None:
    """Give the functions what they say."""
    for statement in (AMONG, SUMMARY_AMONG, READERS_OF, REFERRAL, OF_EACH, KEPT, AGAIN, RAISE):
        op.execute(statement)
    _keep(KEEP)
    op.execute("call app.raise_walls()")


def downgrade() -> None:
    """Go back to readers that come with the first change."""
    op.execute("drop procedure app.raise_starting_walls()")
    op.execute("drop function app.enter_again(uuid, uuid, uuid, text, text, text)")
    op.execute("drop function app.kept_answer(bigint, text, uuid, bytea)")
    op.execute("drop trigger read_referral_as_task on referral")
    op.execute("drop function app.read_referral_as_task()")
    _keep(OLD_KEEP)
    op.execute(OLD_READERS_OF)
    op.execute("drop function app.summary_readers_among(text[], text[], text[], text)")
    op.execute("drop function app.readers_among(text[], text[], text[], text)")
