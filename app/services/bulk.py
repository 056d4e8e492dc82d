"""Tables filled by COPY and held by set to all that row by row would have held: for their owner, all at once.

Foreign keys, exclusions and indexes are taken off and put on again, by which PostgreSQL itself verifies every row;
what triggers keep or verify row by row is kept and verified by one statement each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from app.db import Writer, execute, rows, value
from app.entries import copy
from app.services import log, visibility

#: What is filled; whatever refers to these is left alone, for their primary keys stay.
TABLES: Final = (
    *("task", "referral", "assignment", "deadline", "comment", "event", "sealing_key", "log_entry", "log_node"),
)
#: Triggers that keep or verify row by row what is kept and verified by set here.
_TRIGGERS: Final = ("assignment_without_gaps", "keep_spellings", "keep_deadline_readers", "queue_event")
# the foreign keys of evidence stay: their triggers stand on it, where none is ever dropped (`app.keep_evidence`)
_CONSTRAINTS: Final = """
    select c.conrelid::regclass::text as held, c.conname as name, pg_get_constraintdef(c.oid) as made
    from pg_constraint c where c.conrelid = any(cast(:tables as regclass[])) and c.contype in ('f', 'x', 'u')
        and c.conparentid = 0 and not (c.contype = 'f' and c.conrelid in ('event'::regclass, 'log_entry'::regclass))
        and not exists (select from pg_constraint r where r.confrelid = c.conrelid
            and r.conindid = c.conindid and r.oid <> c.oid and r.contype = 'f' and c.contype <> 'f')
    order by c.contype = 'f', c.conrelid, c.conname
"""
_INDEXES: Final = """
    select i.indexrelid::regclass::text as name, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as made,
        format('comment on index %s is %L', i.indexrelid::regclass, obj_description(i.indexrelid, 'pg_class')) as said
    from pg_index i where i.indrelid = any(cast(:tables as regclass[])) and not i.indisprimary
        and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
    order by 1
"""
_FIRED: Final = """
    select t.tgrelid::regclass::text as held, t.tgname as name, t.tgenabled = 'A' as always from pg_trigger t
    where t.tgrelid = any(cast(:tables as regclass[])) and t.tgname = any(:names) and t.tgparentid = 0
"""
_FORCED: Final = """
    select oid::regclass::text as held from pg_class
    where oid = any(cast(:tables as regclass[])) and relforcerowsecurity
"""
# as `check_accountability` says of each task
_GAPS: Final = """
    select count(*) as wrong from task t left join (
        select task_id, count(*) filter (where upper_inf(period)) as current,
            max(agency) filter (where upper_inf(period)) as agency,
            (select count(*) from unnest(range_agg(period)) p) as stretches, min(lower(period)) as since
        from assignment where role = 'accountable' group by task_id
    ) k on k.task_id = t.id
    where case when t.accountable is null then k.task_id is not null
        else k.current is distinct from 1 or k.agency is distinct from t.accountable
            or k.stretches is distinct from 1 or k.since is distinct from t.accepted_at end
"""
# as `keep_deadline_readers` and `keep_readers` write them
_ASTRAY: Final = """
    select (select count(*) from deadline c join task t on t.id = c.task_id where
            (c.readers, c.classification, c.recused_offices) is distinct from
            (t.readers, t.classification, t.recused_offices))
        + (select count(*) from referral r join task t on t.id = r.task_id where
            (r.task_reference, r.classification, r.recused_offices) is distinct from
            (t.reference, t.classification, t.recused_offices) or not r.readers @> t.readers
            or not r.readers @> array[r.from_agency, r.to_agency]) as wrong
"""
_SPELLINGS: Final = """
    insert into word (spelling) select one from (
        select distinct unnest(app.spelled(array_to_tsvector(array[s.word]))) as one
        from ts_stat('select words from task') s
    ) w where not exists (select from word k where k.spelling = one) order by one
"""


class Astray(RuntimeError):
    """What was copied is not what the service would have written; the message says how."""


async def take_time(writer: Writer) -> None:
    """Let this transaction take the time and the memory that it needs."""
    for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        await execute(writer, f"set local {setting} = 0")
    await execute(writer, "set local maintenance_work_mem = '512MB'")
    await execute(writer, "set local work_mem = '256MB'")


@asynccontextmanager
async def filling(writer: Writer, *, report: Callable[[int, int], object]) -> AsyncIterator[None]:
    """Let the tables be filled while the block lasts; put all back and verify it when that ends; raises Astray.

    `report` hears how many of the last steps are done of how many.
    """
    tables = list(TABLES)
    constraints = await rows(writer, _CONSTRAINTS, tables=tables)
    indexes = await rows(writer, _INDEXES, tables=tables)
    triggers = await rows(writer, _FIRED, tables=tables, names=list(_TRIGGERS))
    forced = await rows(writer, _FORCED, tables=tables)
    for one in constraints[::-1]:
        await execute(writer, f"alter table {one['held']} drop constraint {one['name']}")
    for one in indexes:
        await execute(writer, f"drop index {one['name']}")
    for one in triggers:
        await execute(writer, f"alter table {one['held']} disable trigger {one['name']}")
    for one in forced:  # its owner fills it, whom its walls would shut out
        await execute(writer, f"alter table {one['held']} no force row level security")
    yield
    steps = [step for one in indexes for step in (one["made"], one["said"])]
    steps += [f"alter table {one['held']} add constraint {one['name']} {one['made']}" for one in constraints]
    steps += [*(f"analyze {table}" for table in TABLES), _SPELLINGS]
    for done, step in enumerate(steps):
        report(done, len(steps) + 1)
        await execute(writer, step)
    await verify(writer)
    for one in triggers:
        how = "enable always" if one["always"] else "enable"
        await execute(writer, f"alter table {one['held']} {how} trigger {one['name']}")
    for one in forced:
        await execute(writer, f"alter table {one['held']} force row level security")
    report(len(steps) + 1, len(steps) + 1)


async def fill(writer: Writer, found: Mapping[str, tuple[list[str], list[tuple[Any, ...]]]]) -> None:
    """Copy rows into these tables: of each the names of its columns, and its rows."""
    for table, (names, records) in found.items():
        if table == "event":
            await log.copy_facts(writer, names, records)
        else:
            await copy(writer, table, names, records)


async def verify(writer: Writer) -> None:
    """Hold all tasks to what triggers hold each to; raises Astray."""
    for statement, said in (
        (_GAPS, "tasks have not exactly one accountable agency from their first acceptance on"),
        (_ASTRAY, "referrals or clocks differ from their tasks in who reads them"),
    ):
        wrong = await value(writer, statement)
        if wrong:
            raise Astray(f"{wrong} {said}.")
    stale = await visibility.stale_readers(writer)
    if stale:
        raise Astray(f"{stale} tasks have readers that their facts do not give.")
