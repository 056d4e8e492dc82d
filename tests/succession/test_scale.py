"""Ten thousand tasks under one row: several workers, one of them killed on the way, and each task is moved once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from running import running
from scenarios.world import open_world
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from support import scaled

from app import worker
from app.db import Database, one
from app.settings import Settings

TASKS: Final = scaled(1_000, 10_000)
REFERRED = "2024-08-15T14:00:00+07:00"
_COPIES: Final = """
    with made as (
        insert into task ({columns}) select {selected} from task t cross join generate_series(1, :many) n
        where t.id = :id returning id
    ) insert into assignment (id, task_id, agency, role, mandate, period)
    select gen_random_uuid(), m.id, a.agency, a.role, a.mandate, a.period
    from made m cross join assignment a where a.task_id = :id
"""
_STATE: Final = """
    select count(*) filter (where t.mandate = 'M06') as moved, count(*) filter (where t.mandate = 'M05') as left,
        count(*) filter (where t.version <> :version + 1 and t.mandate = 'M06') as often,
        (select count(*) from (select e.task_id from event e where e.kind = 'task.succeeded'
            group by e.task_id having count(*) <> 1) w) as repeated,
        (select count(*) from event e where e.kind = 'task.succeeded') as told,
        (select count(*) from assignment a where a.role = 'accountable' and a.agency = 'BKN'
            and upper_inf(a.period)) as begun,
        (select count(*) from assignment a where a.role = 'accountable' and a.agency = 'KASN'
            and upper(a.period) = '2024-08-24T00:00:00+07:00') as ended
    from task t where t.mandate in ('M05', 'M06')
"""


async def _multiplied(url: str, id: str) -> None:
    """Copy a task and its assignments, as often as is asked for."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        found = await connection.execute(
            text(
                "select column_name from information_schema.columns where table_name = 'task'"
                " and table_schema = 'public' and is_generated = 'NEVER' order by ordinal_position"
            )
        )
        columns = found.scalars().all()
        own = {"id": "gen_random_uuid()", "reference": "'35.73-2024-' || lpad(n::text, 8, '0')"}
        selected = ", ".join(own.get(name, f"t.{name}") for name in columns)
        statement = _COPIES.format(columns=", ".join(columns), selected=selected)
        await connection.execute(text(statement), {"many": TASKS - 1, "id": id})
        await connection.execute(text("analyze"))
    await engine.dispose()


async def test_each_of_very_many_tasks_is_moved_once_however_many_work_and_die(
    clone: Callable[[], Awaitable[str]],
    settings: Settings,
    credentials: list[dict[str, Any]],
    record_property: Callable[[str, object], None],
) -> None:
    url = await clone()
    async with open_world(url, settings, credentials) as world:
        bawaslu = await world.agency("BAWASLU_KOTA_MALANG")
        case = await bawaslu.log(
            category="asn_neutrality", function="adjudication", region="35.73", effective_at=REFERRED
        )
        case = await world.accept(bawaslu, case, effective_at=REFERRED)
    await _multiplied(url, case["id"])
    eager = settings.model_copy(update={"succession_rest": 0})
    database = Database(url, eager)
    began = time.monotonic()
    with running(url, settings, more={"SIMPUL_SUCCESSION_REST": "0"}) as service:
        await _until(database, case, moved=TASKS // 10)
        killed = _worker_of(service.process.pid)
        os.kill(killed, signal.SIGKILL)
        helper = asyncio.create_task(_work(database))
        found = await _until(database, case, moved=TASKS)
        helper.cancel()
    record_property("seconds", round(time.monotonic() - began, 1))
    await database.close()
    assert found == {
        "moved": TASKS,
        "left": 0,
        "often": 0,
        "repeated": 0,
        "told": TASKS,
        "begun": TASKS,
        "ended": TASKS,
    }


async def _work(database: Database) -> None:
    while True:
        await worker.succeed(database)
        await asyncio.sleep(0.05)


async def _until(database: Database, case: dict[str, Any], *, moved: int) -> dict[str, Any]:
    until = time.monotonic() + 300
    while True:
        async with database.working() as reader:
            found = await one(reader, _STATE, version=case["version"])
        if found["moved"] >= moved:
            return found
        assert time.monotonic() < until, found
        await asyncio.sleep(0.5)


def _worker_of(parent: int) -> int:
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for one_ in children for pid in one_.read_text().split()]
    (found,) = [pid for pid in pids if b"app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found
