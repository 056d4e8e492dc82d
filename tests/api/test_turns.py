"""Turns on a process's connections: in their order, and what one left is not what the next one sees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from support import JSON, Agency, task

from app.db import Database, Reader, value
from app.errors import Overloaded
from app.main import create_app
from app.services import callers, signing
from app.settings import Settings
from app.turns import LONG, Turn, Turns

_SIGHT = "select current_setting('app.sight', true)"


@pytest.fixture
async def narrow(url: str, settings: Settings) -> AsyncIterator[Database]:
    """A database with a single connection."""
    database = Database(url, settings.model_copy(update={"pool_size": 1, "pool_timeout": 5.0}))
    yield database
    await database.close()


async def enter(reader: Reader, agency: Agency, app: FastAPI) -> None:
    claims = await signing.verified(app.state.database, app.state.keys, agency.token)
    await callers.identify(reader, claims, address="127.0.0.1", acting_user=None, request_id="turns")


async def waiting() -> None:
    """Let whoever was started come to where it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def ahead(database: Database, agency: Agency, app: FastAPI) -> AsyncIterator[Reader]:
    """An agency reads; whoever is started meanwhile waits by the end of it."""
    async with database.reading() as reader:
        await enter(reader, agency, app)
        yield reader
        await waiting()


async def test_a_reading_that_follows_another_on_its_connection_sees_its_own_and_nothing_left_behind(
    narrow: Database, app: FastAPI, kpu: Agency, kodim: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    began: list[str] = []
    execute = asyncpg.Connection.execute

    async def noted(driver: asyncpg.Connection, statement: str, *given: Any, **options: Any) -> Any:
        if driver.get_server_pid() == connection:
            began.append(statement.partition("; select")[0])
        return await execute(driver, statement, *given, **options)

    async def read(agency: Agency | None) -> None:
        async with narrow.reading() as reader:
            if agency is not None:
                await enter(reader, agency, app)
            seen.append(await value(reader, _SIGHT))

    everybody = [kpu, kodim, None, kpu, None, kodim, kodim, None]
    async with narrow.reading() as reader:
        connection = await value(reader, "select pg_backend_pid()")
        monkeypatch.setattr(asyncpg.Connection, "execute", noted)
        readings = [asyncio.create_task(read(agency)) for agency in everybody]
        await waiting()
    await asyncio.gather(*readings)
    await narrow.close()
    assert began == ["rollback; begin read only"] * len(everybody) + ["rollback"]
    codes = {agency.code for agency in (kpu, kodim)}
    for agency, sight in zip(everybody, seen, strict=True):
        assert {one for one in (sight or "").split(",") if one in codes} == ({agency.code} if agency else set())


async def test_a_reading_in_which_nothing_was_asked_hands_on_nobodys_sight(
    narrow: Database, app: FastAPI, kpu: Agency
) -> None:
    async with ahead(narrow, kpu, app):
        idle, last = asyncio.create_task(_idle(narrow)), asyncio.create_task(_sight(narrow))
    await idle
    assert not await last


async def test_who_writes_comes_in_turn_and_begins_a_transaction_of_its_own(
    narrow: Database, app: FastAPI, kpu: Agency
) -> None:
    order: list[str] = []

    async def write() -> str | None:
        async with narrow.writing() as writer:
            order.append("write")
            found: str | None = await value(writer, _SIGHT)
            assert await value(writer, "select current_setting('transaction_read_only')") == "off"
            return found

    async def read() -> None:
        async with narrow.reading() as reader:
            await value(reader, _SIGHT)
            order.append("read")

    async with ahead(narrow, kpu, app):
        writes = asyncio.create_task(write())
        await waiting()
        reads = asyncio.create_task(read())
    await reads
    assert not await writes
    assert order == ["write", "read"]


async def test_who_gives_up_while_it_is_handed_a_turn_loses_it_for_nobody(
    narrow: Database, app: FastAPI, kpu: Agency
) -> None:
    async with ahead(narrow, kpu, app):
        given_up, last = asyncio.create_task(_sight(narrow)), asyncio.create_task(_sight(narrow))
    given_up.cancel()  # handed the turn, and not yet running
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert not await last
    async with ahead(narrow, kpu, app):
        given_up = asyncio.create_task(_sight(narrow))
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert not await _sight(narrow)


async def test_what_failed_is_not_handed_on_nor_is_its_turn_lost(narrow: Database, app: FastAPI, kpu: Agency) -> None:
    with suppress(ZeroDivisionError):
        async with ahead(narrow, kpu, app):
            last = asyncio.create_task(_sight(narrow))
            await waiting()
            raise ZeroDivisionError
    assert not await last
    async with ahead(narrow, kpu, app) as lost:
        lost.driver.terminate()
        last = asyncio.create_task(_sight(narrow))
    assert not await last


async def test_what_was_lost_while_it_rested_is_put_back_and_another_connection_serves(
    narrow: Database, app: FastAPI, kpu: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.turns.REST", 60.0)
    async with ahead(narrow, kpu, app) as resting:
        pass
    resting.driver.terminate()
    assert not await _sight(narrow)
    assert not await _sight(narrow)


async def test_who_waits_too_long_is_told_so_and_the_turn_goes_to_the_next(url: str, settings: Settings) -> None:
    hasty = Database(url, settings.model_copy(update={"pool_size": 1, "pool_timeout": 0.1}))
    async with hasty.reading():
        with pytest.raises(Overloaded):
            await _sight(hasty)
    assert not await _sight(hasty)
    await hasty.close()


async def test_nobody_waits_for_a_body_that_is_long_in_coming_nor_does_a_refusal(
    url: str, settings: Settings, kpu: Agency, operator: Agency
) -> None:
    app = create_app(settings.model_copy(update={"pool_size": 1, "pool_timeout": 5.0}), url)
    come = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        whole = json.dumps(task()).encode()
        yield whole[:10]
        await come.wait()
        yield whole[10:]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:

        def log(agency: Agency) -> asyncio.Task[httpx.Response]:
            headers = {**agency.headers, "Idempotency-Key": str(uuid4()), "Content-Type": JSON}
            return asyncio.create_task(http.post("/v1/tasks", content=slowly(), headers=headers))

        late, refused = log(kpu), log(operator)
        assert (await refused).status_code == 403
        assert (await http.get("/v1/me", headers=kpu.headers)).status_code == 200
        assert not late.done()
        come.set()
        assert (await late).status_code == 201
    await app.state.database.close()


async def _working(turns: Turns[str], seconds: float, began: list[float], at_once: list[int]) -> None:
    turn = await turns.take(reads=False)
    at_once.append(at_once[-1] + 1 if at_once else 1)
    began.append(monotonic())
    await asyncio.sleep(seconds)
    at_once.append(at_once[-1] - 1)
    turns.give(turn)


async def test_few_begin_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.turns.LONG", 60.0)
    turns, at_once = Turns[str](8, busy=2, patience=30.0, put_back=lambda _: None), list[int]()
    await asyncio.gather(*(_working(turns, 0.005, [], at_once) for _ in range(12)))
    assert (max(at_once), at_once[-1]) == (2, 0)


async def test_nobody_waits_long_for_those_that_take_long() -> None:
    turns, at_once, began = Turns[str](8, busy=2, patience=30.0, put_back=lambda _: None), list[int](), list[float]()
    since = monotonic()
    await asyncio.gather(*(_working(turns, LONG * 20, began, at_once) for _ in range(8)))
    assert (max(at_once), at_once[-1]) == (8, 0)
    assert began[2] - since >= LONG


async def test_nobody_passes_who_waits_for_a_turn_to_grow_old() -> None:
    turns, order = Turns[str](3, busy=1, patience=5.0, put_back=lambda _: None), list[str]()

    async def come(name: str) -> None:
        await turns.take(reads=True)
        order.append(name)

    await come("long")
    first = asyncio.create_task(come("first"))
    await waiting()
    sleep(LONG * 1.2)  # noqa: ASYNC251 - the loop is to see to nothing meanwhile
    await asyncio.gather(asyncio.create_task(come("second")), first)
    assert order == ["long", "first", "second"]


async def test_no_turn_is_lost_however_they_are_taken_and_given_up() -> None:
    """Thousands of holders at random, quick and slow, reading and writing, some of whom give up."""
    dice, out = Random(6), 0  # noqa: S311
    turns: Turns[str]

    def put_back(turn: Turn[str]) -> None:
        asyncio.get_running_loop().call_later(dice.random() / 500, turns.give, turn)

    turns = Turns[str](5, busy=2, patience=0.03, put_back=put_back)

    async def hold() -> None:
        nonlocal out
        reads = dice.random() < 0.7
        await asyncio.sleep(dice.random() * 0.8)
        with suppress(TimeoutError):
            turn = await turns.take(reads=reads)
            out += 1
            assert out <= 5
            try:
                await asyncio.sleep(dice.choice((0, 0, 0.001, LONG * 1.5)))
            finally:
                out -= 1
                turn.work = "connection" if reads else None
                if not (reads and turns.hand_on(turn)):
                    put_back(turn) if reads else turns.give(turn)

    holders = [asyncio.create_task(hold()) for _ in range(2_000)]
    for one in dice.sample(holders, 300):
        asyncio.get_running_loop().call_later(dice.random(), one.cancel)
    found = await asyncio.gather(*holders, return_exceptions=True)
    assert {type(one) for one in found} <= {type(None), asyncio.CancelledError}
    await asyncio.sleep(2 * LONG)
    left = [await turns.take(reads=True) for _ in range(2)]
    await asyncio.sleep(2 * LONG)
    left += [await turns.take(reads=False) for _ in range(2)]
    await asyncio.sleep(2 * LONG)
    left.append(await turns.take(reads=True))
    with pytest.raises(TimeoutError):
        await turns.take(reads=True)
    assert len(set(left)) == 5


async def _idle(database: Database) -> None:
    async with database.reading():
        await asyncio.sleep(0)


async def _sight(database: Database) -> str | None:
    async with database.reading() as reader:
        found: str | None = await value(reader, _SIGHT)
        return found
