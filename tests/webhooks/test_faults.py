"""A fault at each statement and each sending of who delivers: nothing is lost, skipped, or out of order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from listener import sequence
from receiving import hanging_up, status
from sqlalchemy.exc import DBAPIError
from support import scaled
from worker.faulty import CANCELLED, COMMIT, FAULTS, POST, Broken, Faults, Program, delivered
from worker.judging import judge
from yard import KPU, Yard

from app import db
from app.db import Database

DUTY = "worker.faulty:delivered"
#: Of the faults there are, every so-manieth is injected, so that all of them are met at several statements.
STRIDE = scaled(29, 1)


@dataclass
class Round:
    """What a round is to do, and to whom: its webhook, and the place in the log where it begins."""

    yard: Yard
    hook: dict[str, Any]
    path: str
    since: int = 0
    codes: list[str] = field(default_factory=list)
    asked: str = ""

    async def happen(self) -> None:
        self.yard.receiver.posts.clear()
        self.codes = await self.yard.happen(2)
        self.since = await self._place()

    async def _place(self) -> int:
        """The log, brought up to date; where it ended before that."""
        async with self.yard.database.working() as writer:
            before = int(await db.value(writer, "select coalesce(max(index), 0) from log_entry"))
        await sequence(self.yard.database)
        return before

    async def recover(self, **like: Any) -> None:
        """Others go on when the claims have ended, until the webhook looks like this."""
        for _ in range(200):
            async with self.yard.database.working() as writer:
                for table in ("webhook", "delivery"):
                    claimed = f"update {table} set leased_until = now() where lease is not null returning id"
                    await db.rows(writer, claimed)
            async with other(self.yard) as sound:
                await delivered(sound)
            await sequence(self.yard.database)
            shown = await self.yard.show(self.hook)
            if all(shown[name] == wanted for name, wanted in like.items()) and await self.done(shown):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(shown)

    async def done(self, shown: dict[str, Any]) -> bool:
        """Whether nothing is left to be delivered, or it waits for its agency."""
        async with self.yard.database.working() as writer:
            size = await db.value(writer, "select coalesce(max(index), 0) from log_entry")
            asked = await db.value(writer, "select count(*) from delivery where status = 'asked'")
        return not asked and (shown["status"] == "parked" or shown["position"] == size)

    async def parked(self) -> int:
        """How many facts say since then that it was parked."""
        return len(await self.yard.entries("webhook.parked", since=self.since))

    async def all_in_order(self, *, refused: int = 0) -> None:
        """All of what happened came, in its order; again only what came last, and under the same id."""
        events = await self.yard.entries("election.created", since=self.since)
        posts = self.yard.receiver.at(self.path)
        came = [(one.event["logindex"], one.id) for one in posts]
        assert len(events) == len(self.codes)
        assert sorted(set(came)) == events
        assert all(before <= after for before, after in pairwise(came)), came
        assert len(came) <= len(events) + refused + 1, came
        shown = await self.yard.show(self.hook)
        assert (shown["status"], shown["attempts"], shown["failing_since"]) == ("active", 0, None)
        kept = {one["event"]: one["status"] for one in await self.yard.deliveries(self.hook)}
        assert [kept[event] for _, event in events] == ["delivered"] * len(events)


@asynccontextmanager
async def other(yard: Yard) -> AsyncIterator[Database]:
    """The connections of one more process."""
    database = Database(yard.url, yard.settings)
    yield database
    await database.close()


# what a round can be about: each prepares it, and then sees to it that all came about in spite of the fault


async def delivers(one: Round) -> Callable[[], Awaitable[None]]:
    await one.happen()

    async def after() -> None:
        await one.recover(status="active")
        await one.all_in_order()
        assert await one.parked() == 0

    return after


async def fails(one: Round) -> Callable[[], Awaitable[None]]:
    await one.happen()
    one.yard.receiver.behaviours[one.path] = hanging_up

    async def after() -> None:
        one.yard.receiver.behaviours.clear()
        await one.recover(status="active")
        await one.all_in_order(refused=1)
        assert await one.parked() == 0

    return after


async def parks(one: Round) -> Callable[[], Awaitable[None]]:
    await one.happen()
    one.yard.receiver.behaviours[one.path] = status(410)

    async def after() -> None:
        await one.recover(status="parked")
        assert await one.parked() == 1
        one.yard.receiver.behaviours.clear()
        assert (await one.yard.patch(one.hook, status="active")).status_code == 200
        await one.recover(status="active")
        await one.all_in_order(refused=1)
        assert await one.parked() == 1

    return after


async def repeats(one: Round) -> Callable[[], Awaitable[None]]:
    if not one.asked:
        await (await delivers(one))()
        one.asked = (await one.yard.deliveries(one.hook))[0]["id"]
    return await _asked(one, f"deliveries/{one.asked}/redelivery")


async def pings(one: Round) -> Callable[[], Awaitable[None]]:
    return await _asked(one, "ping")


async def _asked(one: Round, place: str) -> Callable[[], Awaitable[None]]:
    """What was asked for out of order is tried once, or once more by another one, and ends well."""
    one.yard.receiver.posts.clear()
    asked = await one.yard.operator.post(f"/v1/webhooks/{one.hook['id']}/{place}")
    assert asked.is_success, asked.text
    await sequence(one.yard.database)
    delivery, event = asked.json()["id"], asked.json()["event"]

    async def after() -> None:
        await one.recover(status="active")
        came = [post.id for post in one.yard.receiver.at(one.path)]
        assert came in ([event or delivery], [event or delivery] * 2)
        kept = {kept["id"]: kept["status"] for kept in await one.yard.deliveries(one.hook)}
        assert kept[delivery] == "delivered"
        assert await one.parked() == 0

    return after


async def sign_in_anew(yard: Yard) -> None:
    """All of the faults take longer than a token lasts."""
    for caller in (yard.operator, *yard.admins.values()):
        await caller.sign_in()


@pytest.mark.attack
@pytest.mark.parametrize("scene", [delivers, fails, parks, repeats, pings])
async def test_a_fault_at_each_statement_and_each_sending_loses_skips_and_parks_nothing(
    idle: Yard, scene: Callable[[Round], Awaitable[Callable[[], Awaitable[None]]]]
) -> None:
    await sign_in_anew(idle)
    one = Round(idle, await idle.hook(KPU, f"/{scene.__name__}", "election.*"), f"/{scene.__name__}")
    await (await delivers(one))()  # so that each round is about its scene alone
    after = await scene(one)
    async with other(idle) as fresh:
        with Faults(fresh).injected() as counted:
            await delivered(fresh)
    await after()
    statements = counted.seen
    assert {POST, COMMIT} < set(statements)
    every = [(fault, at) for at in range(1, len(statements) + 1) for fault in (*FAULTS, CANCELLED)]
    possible = [(fault, at) for fault, at in every if fault != CANCELLED or statements[at - 1] not in {POST, COMMIT}]
    chosen = possible[::STRIDE]
    program = await asyncio.to_thread(Program, idle.url, idle.settings)
    try:
        for number, (fault, at) in enumerate(chosen):
            if number % 50 == 0:
                await sign_in_anew(idle)
            after = await scene(one)
            if fault.startswith("killed"):
                await asyncio.to_thread(program.order, DUTY, fault, at, then=20)
                assert await asyncio.to_thread(program.ended) == -signal.SIGKILL, (fault, statements[at - 1])
            else:
                async with other(idle) as struck:
                    with Faults(struck, fault, at).injected() as faults, suppress(Broken, DBAPIError):
                        await delivered(struck)
                    assert len(faults.seen) >= at, (fault, statements[at - 1])
            await after()
            assert (await judge(idle.database)).waiting == 0
    finally:
        await asyncio.to_thread(program.close)
        await sign_in_anew(idle)
    print(f"{scene.__name__}: {len(chosen)} faults at {len(statements)} statements")  # noqa: T201
    assert len(chosen) == -(-len(possible) // STRIDE)
