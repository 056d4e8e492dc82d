"""The worker goes on: whatever befalls the database, a duty of it, or itself."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from running import Running, running
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from worker.judging import judge

from app import worker
from app.db import Database, execute, rows, value
from app.main import create_app
from app.rules.caller import itself
from app.rules.facts import EventKind
from app.services import log, sequencer
from app.settings import Settings


@pytest.fixture
async def own(clone: Callable[[], Awaitable[str]]) -> str:
    return await clone()


@pytest.fixture
async def kept(own: str, settings: Settings) -> AsyncIterator[Database]:
    database = Database(own, settings)
    yield database
    await database.close()


@pytest.fixture
def service(own: str, settings: Settings) -> Iterator[Running]:
    with running(own, settings) as one:
        yield one


async def waiting(database: Database) -> int:
    async with database.working() as reader:
        return int(await value(reader, "select count(*) from unsequenced"))


async def all_placed(database: Database, service: Running, *, within: float) -> None:
    until = time.monotonic() + within
    while left := await waiting(database):
        assert time.monotonic() < until, (left, service.said)
        await asyncio.sleep(0.05)


async def enter(database: Database) -> None:
    """A fact of the house's own."""
    async with database.working() as writer:
        at = await value(writer, "select now()")
        await log.record(writer, itself("test"), EventKind.STAGE_UPDATED, on="stage", id=uuid4(), effective_at=at)


def workers_of(parent: int) -> list[int]:
    """The worker processes that a service started."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for one in children for pid in one.read_text().split()]
    return [pid for pid in pids if b"app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


# the service and its worker


async def test_the_facts_of_the_first_load_are_in_the_log_when_the_service_has_just_begun(
    own: str, kept: Database, settings: Settings
) -> None:
    with running(own, settings) as service:
        await all_placed(kept, service, within=30)
    found = await judge(kept)
    assert found.entries > 10
    with running(own, settings) as service, running(own, settings):
        for _ in range(20):
            await enter(kept)
        await all_placed(kept, service, within=30)
    assert (await judge(kept)).entries == found.entries + 20


async def test_a_worker_that_is_killed_is_started_again_and_goes_with_its_service(
    service: Running, kept: Database
) -> None:
    seen = set()
    for _ in range(2):
        (pid,) = workers_of(service.process.pid)
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
        await enter(kept)
        await all_placed(kept, service, within=30)
    (last,) = workers_of(service.process.pid)
    assert last not in seen
    assert sum('"worker_ended"' in line for line in service.said) == 2
    service.process.kill()
    service.process.wait()
    until = time.monotonic() + 10
    while await asyncio.to_thread(Path(f"/proc/{last}").exists):
        assert time.monotonic() < until, "a worker outlived its service"
        await asyncio.sleep(0.05)
    await judge(kept)


async def test_while_the_database_lets_nobody_in_the_worker_waits_and_then_goes_on(
    service: Running, own: str, kept: Database, server: str
) -> None:
    (pid,) = workers_of(service.process.pid)
    for _ in range(2):
        await enter(kept)
        await shut(server, own, seconds=1.5)
        await asyncio.sleep(0.2)
        await again(enter, kept)
        await all_placed(kept, service, within=30)
    assert workers_of(service.process.pid) == [pid], "the worker did not live through it"
    await judge(kept)


async def shut(server: str, url: str, *, seconds: float) -> None:
    """End every session of a database, and let nobody in for a while."""
    name = make_url(url).database
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"alter database {name} with allow_connections false"))
        await connection.execute(
            text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"), {"name": name}
        )
        await asyncio.sleep(seconds)
        await connection.execute(text(f"alter database {name} with allow_connections true"))
    await engine.dispose()


async def again(what: Callable[[Database], Awaitable[None]], database: Database) -> None:
    """Try it once more where a connection had been cut."""
    for _ in range(20):
        try:
            return await what(database)
        except Exception:  # noqa: BLE001, S112
            continue
    raise AssertionError("the database doesn't come back")


# its duties


async def test_a_duty_that_fails_is_said_tried_again_and_ends_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    tried: list[str] = []
    spoken = "kenari"

    async def broken() -> bool:
        tried.append("broken")
        return bool(int(spoken))

    async def sound() -> bool:
        tried.append("sound")
        return False

    duties = [asyncio.create_task(worker.repeat(one, 0.02)) for one in (broken, sound)]
    await asyncio.sleep(1.3)
    assert not any(one.done() for one in duties)
    for one in duties:
        one.cancel()
    await asyncio.gather(*duties, return_exceptions=True)
    assert tried.count("broken") == 2  # a second later, then two
    assert tried.count("sound") > 10
    said = "".join(capfd.readouterr())
    assert "ValueError" in said
    assert "kenari" not in said


async def test_a_duty_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LONGEST", 0.1)
    began: list[float] = []

    async def hangs() -> bool:
        began.append(time.monotonic())
        await asyncio.sleep(3600)
        return False

    duty = asyncio.create_task(worker.repeat(hangs, 0.02))
    await asyncio.sleep(1.6)
    duty.cancel()
    assert len(began) == 2


async def test_more_than_a_round_holds_is_placed_without_a_pause(kept: Database) -> None:
    while await worker.sequence(kept):
        pass
    async with kept.working() as writer:
        await bulk(writer, sequencer.FULL)
    async with kept.working() as writer:
        await bulk(writer, 5)
    assert await worker.sequence(kept)
    assert await waiting(kept) == 5
    assert not await worker.sequence(kept)
    assert await waiting(kept) == 0
    await judge(kept)


async def bulk(writer: Any, count: int) -> None:
    """Facts entered past the service, in one statement."""
    await execute(
        writer,
        "insert into event (id, kind, object_type, object_id, request_id, effective_at, recorded_at, payload, words,"
        " salt, leaf) select cast(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')"
        " || '7' || lpad(to_hex(n), 3, '0') || '8' || substr(md5(random()::text), 1, 15) as uuid), 'stage.updated',"
        " 'stage', n::text, 'bulk', now(), now(), '{}', '{}', '', sha256(n::text::bytea)"
        f" from generate_series(1, {count}) n",
    )


# what an operator sees of it


async def test_metrics_tell_how_far_the_log_lags(own: str, kept: Database, settings: Settings) -> None:
    app = create_app(settings, own)
    while await worker.sequence(kept):
        pass
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:

        async def gauges() -> dict[str, float]:
            said = (await http.get("/metrics")).text
            return {name: float(shown) for name, shown in re.findall(r"^simpul_log_(\w+) (\S+)$", said, re.MULTILINE)}

        before = await gauges()
        assert (before["waiting"], before["waiting_seconds"]) == (0, 0)
        assert before["size"] == before["signed"] > 0
        await enter(kept)
        await asyncio.sleep(0.6)
        lagging = await gauges()
        assert (lagging["waiting"], lagging["size"]) == (1, before["size"])
        assert lagging["waiting_seconds"] > 0.5
        await worker.sequence(kept)
        after = await gauges()
        assert (after["waiting"], after["size"], after["signed"]) == (0, before["size"] + 1, before["size"] + 1)
        async with kept.working() as reader:
            assert await rows(reader, "select 1 as there from log_head where size = :size", size=int(after["size"]))
    await app.state.database.close()
