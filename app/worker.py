"""The background process: places facts in the log, signs and delivers them; watches clocks, ends mandates, keeps house.

Any number may run; each ends when its parent does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import structlog

from app import heap, logs
from app.db import Database, Writer
from app.deliverer import EVERY, HELD_EVERY, Deliverer
from app.memory import Forged, Known, Memory
from app.outages import problem_of
from app.rules.caller import itself
from app.services import (
    clock_watch,
    expiry,
    idempotency,
    redirection,
    sequencer,
    signing,
    succession,
    tokens,
    webhook_keys,
    webhook_queue,
    years,
)
from app.settings import Settings, settings

PAUSE: Final = 60.0
#: How often the log is looked after (seconds), and how old a head gets before the next.
SEQUENCED_EVERY, HEAD_EVERY = 0.1, 0.5
#: How often it is asked whether a mandate has ended (seconds).
SUCCEEDED_EVERY = 1.0
#: How often the clocks of the tasks are looked at (seconds).
WATCHED_EVERY: Final = 1.0
#: How long one round of a duty may take before it counts as failed, and how long a duty that fails pauses at most.
LONGEST, MOST_PATIENT = 60.0, 10
_log: Final = structlog.get_logger()
Chore = Callable[[Writer], Awaitable[int]]
#: What there is to do in each round, each in a transaction of its own, by what the log says of it.
_CHORES: Final[Mapping[str, Chore]] = {
    "answers_forgotten": idempotency.forget_expired,
    "revocations_forgotten": tokens.forget_ended,
    "expiries_announced": partial(expiry.warn, by=itself("worker")),
    "deliveries_forgotten": webhook_queue.forget_old,
    "webhook_keys_forgotten": webhook_keys.forget_ended,
    "keys_retired": partial(signing.retire, by=itself("worker")),
    "years_opened": years.keep_open,
}
#: What clocks are watched for, likewise: those of an older calendar first, so that none runs out by it.
_WATCHES: Final[Mapping[str, Chore]] = {
    "clocks_recomputed": partial(clock_watch.recompute, by=itself("worker")),
    "clocks_breached": partial(clock_watch.breach, by=itself("worker")),
    "clocks_approaching": partial(clock_watch.approach, by=itself("worker")),
}
#: What ends of mandates and agencies leave behind, likewise: tasks first, as their open referrals follow them.
_ENDS: Final[Mapping[str, Chore]] = {
    "tasks_taken_up": partial(succession.succeed, by=itself("worker")),
    "referrals_taken_up": partial(redirection.redirect, by=itself("worker")),
}


async def tend(database: Database) -> None:
    """One round of housekeeping."""
    await _each(database, _CHORES)


async def watch(database: Database) -> bool:
    """One round of watching the clocks; whether more wait than it could take."""
    return max(await _each(database, _WATCHES)) >= clock_watch.FULL


async def succeed(database: Database) -> bool:
    """One round of succession, after the ends of mandates and agencies; whether more waits than it took up."""
    tasks, referrals = await _each(database, _ENDS)
    return tasks >= succession.FULL or referrals >= redirection.FULL


async def _each(database: Database, chores: Mapping[str, Chore]) -> list[int]:
    """Do each of these in a transaction of its own; how much each did."""
    counts = []
    for done, chore in chores.items():
        async with database.working() as writer:
            counts.append(await chore(writer))
        if counts[-1]:
            _log.info(done, count=counts[-1])
    return counts


async def sequence(database: Database) -> bool:
    """One round of the log; whether more waits than it could place."""
    memory = Memory(database.settings.head_memory, database.keys)
    known = _recall(memory)
    async with database.working() as writer:
        done = await sequencer.sequence(writer, head_every=HEAD_EVERY, known=known)
    if done.lost is not None:
        _log.error("log_halted", lost=done.lost, reason="The database is older than a head that was signed.")
    if done.newest is not None:  # committed: a head that nobody was ever shown is not to be remembered
        await asyncio.to_thread(memory.remember, done.newest)
    return done.placed >= sequencer.FULL


def _recall(memory: Memory) -> Known | None:
    """What is remembered; whoever can forge the file could as well remove it, so a forged one stops nothing."""
    try:
        return memory.recall()
    except Forged as refused:
        _log.error("log_memory_refused", kept_as=str(refused))
        return None


async def work(chosen: Settings, url: str, *, parent: asyncio.StreamReader | None) -> None:
    """Do all there is to do until the parent's end of the pipe closes, or for ever without one."""
    database = Database(url, chosen)
    deliverer = Deliverer(database)
    duties = [
        asyncio.create_task(repeat(partial(tend, database), PAUSE)),
        asyncio.create_task(repeat(partial(sequence, database), SEQUENCED_EVERY)),
        asyncio.create_task(repeat(partial(succeed, database), SUCCEEDED_EVERY)),
        asyncio.create_task(repeat(partial(watch, database), WATCHED_EVERY)),
        asyncio.create_task(repeat(deliverer.round, EVERY)),
        asyncio.create_task(repeat(deliverer.hold, HELD_EVERY)),
    ]
    if parent is not None:
        duties.append(asyncio.create_task(_read(parent)))
    try:
        done, _ = await asyncio.wait(duties, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in duties:
            one.cancel()
        await asyncio.gather(*duties, return_exceptions=True)
        await deliverer.close()
        await database.close()


async def repeat(duty: Callable[[], Awaitable[bool | None]], pause: float) -> None:
    """Do a duty again and again, at once where it says that more waits.

    Whatever befalls it, it is tried anew, and the other duties don't feel it.
    """
    failed = 0
    while True:
        try:
            async with asyncio.timeout(LONGEST):
                more = await duty()
            failed = 0
        except Exception as error:  # noqa: BLE001 - a worker that ends for one duty ends all of them
            more, failed = False, failed + 1
            if problem_of(error) is None:
                _log.error("duty_failed", traceback=logs.frames(error))
            else:
                _log.warning("database_unreachable", error=type(error).__qualname__)
        if not more:
            await asyncio.sleep(pause + min(failed, MOST_PATIENT))


async def _read(parent: asyncio.StreamReader) -> None:
    await parent.read()


async def _run() -> None:
    logs.configure()
    heap.settle()
    chosen = settings()
    url = chosen.worker_url or chosen.database_url
    if url is None:
        raise SystemExit("Set SIMPUL_DATABASE_URL; `.venv/bin/python -m app.cli serve` does it for its own worker.")
    parent = None
    if "--with-parent" in sys.argv:
        parent = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(parent), sys.stdin)
    await work(chosen, url.get_secret_value(), parent=parent)


if __name__ == "__main__":
    asyncio.run(_run())
