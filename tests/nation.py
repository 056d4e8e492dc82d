"""A table of tasks as large as one likes, spread over the regencies of the country, written by set and not by hand."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

_TASKS = """
insert into task (id, reference, title, description, category, function, region_code, classification, priority,
    logged_by, holder, supporting, informed, recused_offices, status, facts, readers, summary_readers,
    effective_at, last_effective_at, recorded_at, updated_at, due_at, version)
select gen_random_uuid(), 'NAT-' || n, 'Tugas ' || n, 'Uraian tugas ' || n, 'asn_neutrality', 'prevention', place.code,
    class, 'medium', logger.code, logger.code, '{}', '{}', '{}', 'assigned', '{}',
    array(select unnest(array[logger.code, '*'])
        union select 'region:' || p from unnest(region_path(place.code) || ''::text) p where class = 'terbuka'),
    array(select 'coordinator:' || p from unnest(region_path(place.code) || ''::text) p where class = 'terbatas'),
    moment, moment, moment, moment, moment + interval '30 days', 1
from generate_series(1, :count) n
cross join lateral (select timestamptz '2024-01-01' + n * interval '1 minute' as moment,
    case when n % 20 = 0 then 'rahasia' when n % 3 = 0 then 'terbuka' else 'terbatas' end as class) o
join (select code, row_number() over (order by code) as place, count(*) over () as places
    from region where level in ('city', 'regency')) place on place.place = 1 + (n * 7919::bigint) % place.places
join (select code, row_number() over (order by code) as place, count(*) over () as places
    from agency where level in ('city', 'regency')) logger on logger.place = 1 + (n * 104729::bigint) % logger.places
"""


_REFERRALS = """
insert into referral (id, task_id, from_agency, to_agency, status, function, mandate, supporting, informed,
    retain_access, recorded_by_sender, effective_at, recorded_at, updated_at, version, task_reference, classification,
    recused_offices, readers)
select gen_random_uuid(), t.id, t.logged_by, receiver.code, 'withdrawn', t.function, 'M01', '{}', '{}', false, false,
    t.effective_at, t.effective_at, t.effective_at, 1, t.reference, t.classification, '{}',
    array[t.logged_by, receiver.code]
from task t join (select code, row_number() over (order by code) as place, count(*) over () as places
    from agency where level in ('city', 'regency')) receiver
    on receiver.place = 1 + (abs(hashtext(t.reference))::bigint % receiver.places)
where t.reference like 'NAT-%0'
"""


_DEADLINES = """
insert into deadline (id, task_id, kind, status, started_at, due_at, provisional, pausable, pauses, time_zone,
    arithmetic, approaches_at, approached, breached_at, version)
select gen_random_uuid(), t.id, 'agreed', case when late then 'breached' else 'running' end, t.effective_at, t.due_at,
    false, 0, '[]', 'Asia/Jakarta', '[]', t.due_at, late, case when late then t.due_at end, 1
from task t cross join lateral (select t.reference like 'NAT-%01' as late) o where t.reference like 'NAT-%1'
"""


async def settle(url: str, *, count: int) -> None:
    """Write so many tasks into a database, as its owner, and let the planner know of them."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("alter table task disable trigger assignment_without_gaps"))
        await connection.execute(text(_TASKS), {"count": count})
        await connection.execute(text(_REFERRALS))
        await connection.execute(text(_DEADLINES))
        await connection.execute(text("alter table task enable trigger assignment_without_gaps"))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("vacuum analyze task, referral, deadline"))
    await engine.dispose()
