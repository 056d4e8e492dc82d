"""A table of tasks as large as one likes, spread over the regencies of the country, written by set and not by hand."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app import start
from app.db import Database
from app.security import Keys
from app.settings import Settings

#: 20,000 sentences of 30,000 made words, few common and most rare, a third of them with affixes.
_SENTENCES = """
create temporary table sentence on commit drop as
with made (number, word) as (
    select n, (array['ba','ku','ti','so','ra','me','li','nu','da','po','ge','wi'])[1 + n % 12]
        || (array['ngka','lan','rit','sah','dum','pel','kat','nor','tis','gam','bok','ris','jun'])[1 + n / 12 % 13]
        || (array['a','i','u','e','o','an','ar','is','ul','em','ok','at','ir','on'])[1 + n / 156 % 14]
        || (array['','t','k','n','s','r','l','p','ng','m','h','b','d','g'])[1 + n / 2184 % 14]
    from generate_series(0, 29999) n
), dice as (
    select number, place, (hashint8(number * 31 + place)::bigint & 2147483647) as dice
    from generate_series(0, 19999) number cross join generate_series(1, 8) place
)
select d.number, string_agg(case when d.place % 3 = 0 then (array['me','di','pe','ber','ke'])[1 + d.dice % 5] || m.word
    || (array['','kan','an','i','an'])[1 + d.dice % 5] else m.word end, ' ' order by d.place) as said
from dice d join made m on m.number = trunc(30000 * pow(d.dice / 2147483648.0, 3)) group by d.number
"""
_TASKS = """
insert into task (id, reference, title, description, category, function, region_code, classification, priority,
    logged_by, holder, supporting, informed, recused_offices, status, facts, readers, summary_readers,
    effective_at, last_effective_at, recorded_at, updated_at, due_at, version)
select gen_random_uuid(), 'NAT-' || n, case when n % 100 < 5 then 'Gudang logistik kebanjiran'
        when n % 100 < 9 then 'Logistik terlambat' when n % 100 < 12 then 'Kotak di gudang' else 'Pengawasan' end,
    a.said || ' ' || b.said || case when n % (1 + :count / 40) = 0 then ' kudanil' else '' end,
    'asn_neutrality', 'prevention', place.code,
    class, 'medium', logger.code, logger.code, '{}', '{}', '{}', 'assigned', '{}',
    array(select unnest(array[logger.code, '*'])
        union select 'region:' || p from unnest(place.path) p where class = 'terbuka'),
    array(select 'coordinator:' || p from unnest(place.path) p where class = 'terbatas'),
    moment, moment, moment, moment, moment + interval '30 days', 1
from generate_series(1, :count) n
join sentence a on a.number = n * 7907::bigint % 20000 join sentence b on b.number = n * 6481::bigint / 7 % 20000
cross join lateral (select timestamptz '2024-01-01' + n * interval '1 minute' as moment,
    case when n % 20 = 0 then 'rahasia' when n % 3 = 0 then 'terbuka' else 'terbatas' end as class) o
join (select code, region_path(code) || ''::text as path, row_number() over (order by code) as place,
        count(*) over () as places
    from region where level in ('city', 'regency') offset 0) place
    on place.place = 1 + (n * 7919::bigint) % place.places
join (select code, row_number() over (order by code) as place, count(*) over () as places
    from agency where level in ('city', 'regency')) logger
    on logger.place = 1 + (n * 104729::bigint) % logger.places
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


_SPELLINGS = """
insert into word (spelling) select distinct one from (
    select unnest(app.spelled(app.words_of(said))) as one from sentence
    union all select unnest(app.spelled(app.words_of('Gudang logistik kebanjiran terlambat kotak pengawasan kudanil')))
) w where not exists (select from word k where k.spelling = one)
"""
_GIN = "select indexname, indexdef from pg_indexes where tablename = 'task' and indexdef like '%USING gin%'"
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
        # by set: what is kept row by row is kept at the end, and indexes of words are made of all rows at once
        await connection.execute(text("set local maintenance_work_mem = '512MB'"))
        for trigger in ("assignment_without_gaps", "keep_spellings"):
            await connection.execute(text(f"alter table task disable trigger {trigger}"))
        indexes = (await connection.execute(text(_GIN))).all()
        for name, _ in indexes:
            await connection.execute(text(f"drop index {name}"))
        await connection.execute(text(_SENTENCES))
        await connection.execute(text(_TASKS), {"count": count})
        await connection.execute(text(_SPELLINGS))
        await connection.execute(text(_REFERRALS))
        await connection.execute(text(_DEADLINES))
        for _, made in indexes:
            await connection.execute(text(made))
        for trigger in ("assignment_without_gaps", "keep_spellings"):
            await connection.execute(text(f"alter table task enable trigger {trigger}"))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("vacuum analyze task, referral, deadline, word"))
    await engine.dispose()


async def founded(url: str, var: Path, *, count: int) -> list[dict[str, Any]]:
    """Migrate and load a database, make its first clients, and `settle` it; returns the clients."""
    settings = Settings(var=var)
    await start.migrate(url)
    database = Database(url, settings)
    try:
        await start.load(database, Console(quiet=True), with_register=False)
        keys = Keys.open(var / "keys", issuer=settings.issuer)
        await start.signing_ring(database, keys, var / "keys")
        await start.first_clients(database, keys, var)
    finally:
        await database.close()
    await settle(url, count=count)
    return list(json.loads((var / start.CREDENTIALS).read_text()))
