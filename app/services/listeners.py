"""Those who wait for news of the log, in this process: one look at its end serves them all.

A listener holds its place in the log and no queue, no connection, no transaction. New entries wake those whom they may
concern; what these hear, their own read through both walls decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from app.db import Database, Reader, Row, keys_of, one, value
from app.errors import TemporarilyUnavailable
from app.outages import problem_of
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind, Family
from app.rules.vocabulary import Role
from app.services import callers, feed
from app.services.callers import Bearer
from app.services.replica import Replica
from app.services.seats import Seats

#: How often the end of the log is looked at (seconds), while anybody listens, and how long after it could not be.
LOOKED_EVERY, AGAIN_AFTER = 0.1, 1.0
#: How many entries go out at once.
PAGE: Final = 100
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ask:
    """Who wants to hear what: the bearer of a token, and the kinds of facts, None for all."""

    bearer: Bearer
    types: frozenset[EventKind] | None


class Listener:
    """One who waits: by which words it is woken, whether there may be news, and whether it is over."""

    __slots__ = ("_news", "over", "words")

    def __init__(self) -> None:
        self.words = frozenset[str]()
        self.over = False
        self._news = asyncio.Event()
        self.wake()

    def wake(self) -> None:
        """There may be news."""
        self._news.set()

    def end(self) -> None:
        """It is over: nobody hears any more, or nobody speaks."""
        self.over = True
        self.wake()

    async def wait(self, seconds: float) -> bool:
        """Whether there may be news, at once or within some seconds; having asked, one looks."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._news.wait()
        except TimeoutError:
            pass  # it may have been woken in the very moment in which it waited no longer
        found = self._news.is_set()
        self._news.clear()
        return found


class Listeners:
    """All of one process. `at` is the last entry that everybody concerned was woken for, `head` the newest head."""

    def __init__(self, database: Database, replica: Replica) -> None:
        self._database, self._replica, self._settings = database, replica, database.settings
        self._waiting: dict[str, set[Listener]] = {}
        chosen = self._settings
        self._seats = Seats(client=chosen.client_streams, agency=chosen.agency_streams, process=chosen.process_streams)
        self._gate = asyncio.Semaphore(max(1, min(chosen.pool_size, chosen.pool_busy) // 2))
        self._reading: dict[tuple[Any, ...], asyncio.Task[tuple[feed.Heard, frozenset[str]]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._ended = False
        self.at: int | None = None
        self.head: str | None = None

    @contextmanager
    def joined(self, caller: Caller) -> Iterator[Listener]:
        """One more listener for as long as the block lasts; raises QuotaExceeded, TemporarilyUnavailable."""
        if self._ended:
            raise TemporarilyUnavailable
        with self._seats.joined(caller):
            listener = Listener()
            self._register(listener, words(caller))
            if self._looking is None:
                self._looking = asyncio.create_task(self._look_on())
            try:
                yield listener
            finally:
                self._register(listener, frozenset())

    async def hear(self, listener: Listener, ask: Ask, *, after: int) -> feed.Heard:
        """What there is after a place in the log for who holds these claims now.

        Raises TokenInvalid, AgencySuspended, AddressNotAllowed.
        """
        key = (ask.bearer.claims.jti, ask.bearer.address, ask.types, after)
        reading = self._reading.get(key)
        if reading is None:  # one token at one place: one read serves all who wait with it
            reading = self._reading[key] = asyncio.create_task(self._read(ask, after))
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        found, wanted = await asyncio.shield(reading)
        if wanted != listener.words:
            self._register(listener, wanted)
            listener.wake()  # what came meanwhile may be for its new ears
        return found

    async def _read(self, ask: Ask, after: int) -> tuple[feed.Heard, frozenset[str]]:
        enter = partial(callers.identify_again, bearer=ask.bearer)
        question = partial(_heard, ask=ask, after=after)
        async with self._gate:
            if (self.at or 0) - after > PAGE:  # what was long ago; who waits for news has no replica to wait for
                found, wanted = await self._replica.ask(enter, question)
                if found.after > after:
                    return found, wanted
            async with self._database.reading() as reader:
                return await question(reader, await enter(reader))

    def end(self) -> None:
        """Let all go, and nobody in."""
        self._ended = True
        for listener in set().union(*self._waiting.values()):
            listener.end()

    async def close(self) -> None:
        """Stop looking."""
        self.end()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def _register(self, listener: Listener, wanted: frozenset[str]) -> None:
        for word in listener.words - wanted:
            self._waiting[word].discard(listener)
            if not self._waiting[word]:
                del self._waiting[word]
        for word in wanted - listener.words:
            self._waiting.setdefault(word, set()).add(listener)
        listener.words = wanted

    async def _look_on(self) -> None:
        """Look at the end of the log again and again, until nobody waits."""
        while self._seats.taken:
            try:
                news = await self._look()
            except Exception as error:  # noqa: BLE001 - whatever it was, all the others wait for the next look
                problem = problem_of(error)
                _log.warning("no_look_at_the_log", problem=problem.code if problem else type(error).__qualname__)
                await asyncio.sleep(AGAIN_AFTER)
                continue
            first, self.at, self.head = self.at is None, news["at"], news["head"]
            for word in self._waiting.keys() & (self._waiting.keys() if first else news["words"]):
                for listener in self._waiting[word]:
                    listener.wake()
            await asyncio.sleep(LOOKED_EVERY)
        self._looking, self.at = None, None

    async def _look(self) -> Row:
        async with self._database.reading() as reader:
            await value(reader, "select app.become('simpul_api')")
            return await one(reader, "select at, head, words from app.audience(:known, 1000)", known=self.at)


async def _heard(reader: Reader, caller: Caller, *, ask: Ask, after: int) -> tuple[feed.Heard, frozenset[str]]:
    found = await feed.read(reader, caller, keys_of(reader), feed.Part(after, ask.types, PAGE))
    return found, words(caller)


def words(caller: Caller) -> frozenset[str]:
    """By which words of `app.audience` a caller is woken: at least those of all it hears of."""
    found = {"all", f"client:{caller.client_id}"}
    if caller.role is Role.OPERATOR:
        found.add("operator")
    elif caller.role in {Role.AGENCY_ADMIN, Role.AUDITOR}:
        found.add(f"admin:{caller.agency}")
    heard_of = policy.hears(caller.role)
    if caller.role is Role.EXPERT:
        found |= {f"expert:{code}" for code in caller.acts_for}
    elif heard_of & {Family.WORK, Family.VULNERABILITY, Family.MEETING}:
        places = ("",) if caller.national else caller.regions
        kinds = ("region", "coordinator") if caller.coordinator else ("region",)
        found |= {*caller.acts_for, *(f"{kind}:{place}" for kind in kinds for place in places)}
    return frozenset(found)
