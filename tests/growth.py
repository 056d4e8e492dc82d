"""What grows beside the tasks of a nation (tests/nation.py): its register, its log, and what is kept for replay."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

#: Tables that grow with the nation or with time: no statement may read one of them whole.
GROWING = (
    "assignment", "comment", "deadline", "delivery", "event", "idempotency_record", "log_entry", "log_node", "meeting",
    "referral", "revoked_token", "sealing_key", "share", "task", "task_vulnerability", "used_assertion",
    "vulnerability", "word",
)  # fmt: skip
_AGENCIES = "(select code, row_number() over (order by code) as place, count(*) over () as places from agency)"
_TASKS = "(select *, row_number() over (order by id) as n from task where reference like 'NAT-%')"
#: In this order: each a tenth or more of the tasks.
_GROWTH = (
    f"""
    insert into vulnerability (id, category, description, information_status, region_code, mapped_by, classification,
        logged_by, effective_at, recorded_at, version, locally_distinctive, facility_owner, linked_to, source)
    select gen_random_uuid(), t.category, 'Uraian ' || t.n, 'claimed', t.region_code, t.logged_by, t.classification,
        t.logged_by, t.effective_at, t.recorded_at, 1, false, '{{}}', '{{}}', '{{}}' from {_TASKS} t where t.n % 10 = 0
    """,
    f"""
    insert into meeting (id, title, host, held_on, region_code, classification, logged_by, effective_at, recorded_at,
        version, participants, experts, topics, source)
    select gen_random_uuid(), 'Rapat ' || t.n, t.logged_by, t.effective_at, t.region_code, t.classification,
        t.logged_by, t.effective_at, t.recorded_at, 1, '[]', '[]', '{{}}', '{{}}' from {_TASKS} t where t.n % 10 = 1
    """,
    """
    insert into task_vulnerability (task_id, vulnerability_id) select t.id, v.id
    from (select id, row_number() over (order by id) as n from task) t
    join (select id, 10 * row_number() over (order by id) as n from vulnerability) v using (n)
    on conflict do nothing
    """,
    f"""
    insert into share (task_id, agency, level, shared_by) select t.id, a.code, 'summary', t.logged_by
    from {_TASKS} t join {_AGENCIES} a on a.place = 1 + t.n % a.places where t.n % 10 = 2 and a.code <> t.logged_by
    """,
    f"""
    insert into assignment (id, task_id, agency, role, mandate, period, recorded_at)
    select gen_random_uuid(), t.id, a.code, 'informed', 'M01', tstzrange(t.effective_at, null), t.recorded_at
    from {_TASKS} t join {_AGENCIES} a on a.place = 1 + t.n % a.places where t.n % 4 = 0
    """,
    f"""
    insert into comment (id, task_id, body, agency, recorded_at)
    select gen_random_uuid(), t.id, 'Catatan', t.logged_by, t.recorded_at from {_TASKS} t where t.n % 10 = 3
    """,
    f"""
    insert into event (id, kind, object_type, object_id, task_id, agency, request_id, effective_at, recorded_at,
        version_after, payload, words, salt, leaf)
    select gen_random_uuid(), 'task.logged', 'task', t.id, t.id, t.logged_by, 'growth', t.effective_at, t.recorded_at,
        1, '{{}}', '{{}}', '', sha256(t.reference::bytea) from {_TASKS} t where t.n % 2 = 0
    """,
    """
    insert into log_entry (index, event_id)
    select (select max(index) from log_entry) + row_number() over (order by recorded_at, id), id
    from event where request_id = 'growth'
    """,
    """
    insert into log_node (level, place, hash)
    select 0, l.index - 1, e.leaf from log_entry l join event e on e.id = l.event_id where request_id = 'growth'
    """,
    # the tree above, as full as it would be; its hashes prove nothing
    """
    insert into log_node (level, place, hash) select level, place, sha256(format('%s/%s', level, place)::bytea)
    from (select max(index) as size from log_entry) s cross join generate_series(1, 40) level
    cross join lateral generate_series(0, size / (2::numeric ^ level)::bigint - 1) place on conflict do nothing
    """,
    f"""
    insert into idempotency_record (client_id, key_hash, request_hash, answer, expires_at)
    select c.id, sha256(t.reference::bytea), '', '', now() + interval '1 day'
    from {_TASKS} t cross join (select id from client order by id limit 1) c where t.n % 4 = 1
    """,
    f"""
    insert into revoked_token (jti, client_id, expires_at) select gen_random_uuid(), c.id, now() + interval '1 hour'
    from {_TASKS} t cross join (select id from client order by id limit 1) c where t.n % 10 = 4
    """,
    f"""
    insert into used_assertion (client_id, jti, expires_at) select c.id, t.reference, now() + interval '1 hour'
    from {_TASKS} t cross join (select id from client order by id limit 1) c where t.n % 10 = 5
    """,
    f"""
    insert into sealing_key (id, subject, sealed) select t.id, 'growth/' || t.n, '' from {_TASKS} t where t.n % 4 = 2
    """,
    f"""
    with listening as (
        insert into webhook (id, agency, url, status, position, recorded_at, version, types, clearance, signature,
            attempts)
        select gen_random_uuid(), a.code, 'https://growth.example/' || a.code, 'active',
            (select max(index) from log_entry), now(), 1, '{{}}', 'terbatas', 'v1a', 0
        from {_AGENCIES} a where a.place % 20 = 0 returning id
    )
    insert into delivery (id, webhook_id, event_id, log_index, type, status, attempts, first_attempt_at,
        last_attempt_at, recorded_at)
    select gen_random_uuid(), w.id, e.id, l.index, 'task.logged', 'delivered', 1, now(), now(), e.recorded_at
    from (select id, row_number() over (order by id) as place, count(*) over () as places from listening) w
    join log_entry l on l.index % w.places = w.place - 1 join event e on e.id = l.event_id and e.request_id = 'growth'
    """,
)
#: What is kept row by row is not needed here, and would take as long as if people had entered it.
_TRIGGERS = (
    ("event", "queue_event"),
    ("assignment", "assignment_without_gaps"),
    ("vulnerability", "keep_spellings"),
    ("meeting", "keep_spellings"),
)


async def grow(url: str) -> None:
    """Write what a settled nation would have by now, as its owner, and let the planner know of it."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for table, trigger in _TRIGGERS:
            await connection.execute(text(f"alter table {table} disable trigger {trigger}"))
        for statement in _GROWTH:
            await connection.exec_driver_sql(statement)
        for table, trigger in _TRIGGERS:
            always = "always " if trigger == "queue_event" else ""
            await connection.execute(text(f"alter table {table} enable {always}trigger {trigger}"))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f"vacuum analyze {', '.join(GROWING)}"))
    await engine.dispose()
