"""A replica of the database, for reads whose age decides nothing; who asks, and what one may see, the primary says.

What a replica shows is never older than a bound. A clock can't tell its age: a primary at rest writes nothing, and a
replica that is cut off knows of nothing it misses. So the primary is asked again and again where its log of writes
ends, and a transaction on the replica goes on only if it has got to a place that was the end within the bound, on the
same timeline. It is asked in that very transaction, as behind one address there may be several replicas.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple, TypeVar

import structlog
from prometheus_client import Counter

from app.db import Database, Reader, Row, one
from app.errors import Overloaded, Problem, TemporarilyUnavailable, Timeout
from app.outages import problem_of
from app.rules.caller import Caller

T = TypeVar("T")
Enter = Callable[[Reader], Awaitable[Caller]]
Question = Callable[[Reader, Caller], Awaitable[T]]

#: How often the primary's end is looked at (seconds), and how long a replica may take to let somebody in.
LOOKED_EVERY, PATIENCE = 0.5, 1.0
_NAMES: Final = ("client", "agency", "role", "office", "cleared", "acts_for", "own_sight", "sight")
_SIGHT: Final = "select " + ", ".join(f"current_setting('app.{name}', true) as {name}" for name in _NAMES)
_END: Final = """
    select (pg_current_wal_flush_lsn() - '0/0')::bigint as place,
        ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer as timeline
"""
_REACHED: Final = """
    pg_is_in_recovery() as follows, (pg_last_wal_replay_lsn() - '0/0')::bigint as place,
    greatest((pg_control_checkpoint()).timeline_id, (pg_control_recovery()).min_recovery_end_timeline) as timeline
"""
_LOOK: Final = f"select {_REACHED}"
_ENTER: Final = (
    "select app.become('simpul_api'), "
    + ", ".join(f"set_config('app.{name}', :{name}, true)" for name in _NAMES)
    + f", {_REACHED}"
)
_served: Final = Counter(
    "simpul_replicable_reads", "Reads that may be a little old, by which server answered.", ["server"]
)
_log: Final = structlog.get_logger()


class Behind(Exception):
    """The replica is too far behind, or is none."""


class End(NamedTuple):
    """Where the primary's log of writes ended at a moment (of the monotonic clock, seconds)."""

    moment: float
    timeline: int
    place: int


class Replica:
    """The replica that the settings name, if any."""

    def __init__(self, primary: Database) -> None:
        url = primary.settings.replica_url
        self._primary = primary
        self._copy = None if url is None else Database(url.get_secret_value(), primary.settings, keys=primary.keys)
        self._ends: deque[End] = deque()
        self._fit = False
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    @property
    def configured(self) -> bool:
        """Whether there is to be one."""
        return self._copy is not None

    async def ask(self, enter: Enter, question: Question[T]) -> T:
        """What a question brings, asked of the replica if it is there and young enough, else of the primary.

        `enter` says on the primary who asks, whatever that raises; the replica then shows what it has of what that one
        may see now. What the replica refuses is asked of the primary: nothing old decides. So is what it can't answer.
        """
        async with self._primary.reading() as reader:
            caller = await enter(reader)
            if self._copy is None or not self._is_fit():
                return await self._of_primary(reader, caller, question)
            sight = await one(reader, _SIGHT)
        try:
            found = await self._of_copy(self._copy, sight, caller, question)
        except Exception as error:  # noqa: BLE001 - all but what nobody expects
            self._judge(error)
        else:
            _served.labels("replica").inc()
            return found
        async with self._primary.reading() as reader:
            return await self._of_primary(reader, await enter(reader), question)

    async def fit(self) -> bool | None:
        """Whether the replica is there and young enough, as the last look told; None where there is none."""
        if self._copy is None:
            return None
        if self._watching is None:  # nobody has looked yet
            self._is_fit()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._look(self._copy)
        return self._fit

    async def close(self) -> None:
        """Look no more, and close every connection."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._copy is not None:
            await self._copy.close()

    def _is_fit(self) -> bool:
        """Whether it was at the last look; from the first question on, somebody looks."""
        if self._watching is None and self._copy is not None:
            self._watching = asyncio.create_task(self._watch(self._copy))
        return self._fit

    async def _of_primary(self, reader: Reader, caller: Caller, question: Question[T]) -> T:
        _served.labels("primary").inc()
        return await question(reader, caller)

    async def _of_copy(self, copy: Database, sight: Row, caller: Caller, question: Question[T]) -> T:
        """Raises Behind, and whatever a lost or a lagging server brings."""
        entered = asyncio.timeout(PATIENCE)
        async with entered, copy.reading() as reader:
            await self._require_young(reader, await one(reader, _ENTER, **sight))
            entered.reschedule(None)
            return await question(reader, caller)

    async def _require_young(self, reader: Reader, reached: Row) -> None:
        """Refuse a server that follows none, or is older than the bound; raises Behind."""
        if not reached["follows"]:
            reader.driver.terminate()  # it was promoted: the next connection looks for another one
            raise Behind
        oldest = monotonic() - self._primary.settings.replica_lag
        while self._ends and self._ends[0].moment < oldest:
            self._ends.popleft()
        timeline, place = reached["timeline"], reached["place"]
        if not any(end.timeline == timeline and end.place <= place for end in self._ends):
            raise Behind

    def _judge(self, error: Exception) -> None:
        """Go on to the primary, or raise: what takes too long would take as long there."""
        problem = error if isinstance(error, Problem) else problem_of(error)
        if isinstance(error, Behind) or isinstance(problem, (TemporarilyUnavailable, Overloaded)):
            self._fit = False
        elif problem is None or isinstance(problem, Timeout):
            raise error

    async def _watch(self, copy: Database) -> None:
        """Look again and again."""
        while True:
            await self._look(copy)
            await asyncio.sleep(LOOKED_EVERY)

    async def _look(self, copy: Database) -> None:
        """Learn where the primary's log ends, and whether the replica is young enough."""
        was = self._fit
        async with self._looking:
            try:
                await self._learn_end()
                async with asyncio.timeout(self._primary.settings.statement_timeout), copy.reading() as reader:
                    await self._require_young(reader, await one(reader, _LOOK))
                self._fit = True
            except Behind:
                self._fit = False
            except Exception as error:  # noqa: BLE001 - whatever it was, we look again
                # no free connection says nothing of the server: what is known grows old by itself
                self._fit = self._fit and isinstance(problem_of(error), Overloaded)
        if was is not self._fit:
            _log.info("replica", fit=self._fit)

    async def _learn_end(self) -> None:
        moment = monotonic()
        async with self._primary.reading() as reader:
            found = await one(reader, _END)
        self._ends.append(End(moment, found["timeline"], found["place"]))
