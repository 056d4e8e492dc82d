"""Turns on the connections of a process: who comes first is served first, and few begin at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

#: Seconds: less than a request takes, so that who asks one after the other meets what it left.
REST = 0.005
#: Seconds: longer than nearly all transactions take. One that takes longer waits for something; another may join.
LONG = 0.05


class Turn(Generic[T]):
    """A turn, and what its holder works with, if it was handed that or has found some."""

    __slots__ = ("since", "work")

    def __init__(self) -> None:
        self.work: T | None = None
        self.since = 0.0


class Turns(Generic[T]):
    """So many turns, and those who wait for one. Whoever has one may hand on, with the turn, what it worked with.

    No more than `busy` who have one are younger than `LONG`: more at once take caches from each other and finish later.
    Where nobody waits, what a turn worked with `rests` a moment (`REST`) for who comes next. `put_back` puts away what
    nobody goes on with, and then gives the turn.
    """

    def __init__(
        self, free: int, *, busy: int, patience: float, put_back: Callable[[Turn[T]], object], rests: bool = True
    ) -> None:
        self._free = free
        self._busy = busy
        self._rests = rests
        self._patience = patience
        self._put_back = put_back
        self._young: dict[Turn[T], None] = {}  # the oldest first
        self._waiting: deque[tuple[asyncio.Future[Turn[T]], bool]] = deque()
        self._resting: deque[tuple[Turn[T], asyncio.TimerHandle]] = deque()
        self._growing_up: asyncio.TimerHandle | None = None

    async def take(self, *, reads: bool) -> Turn[T]:
        """Wait for a turn: with what somebody handed on, where one that `reads` gets it, or with nothing.

        Raises TimeoutError when none comes in time (`patience`, seconds).
        """
        if self._next() is None and self._room():
            if reads and self._resting:
                turn, timer = self._resting.pop()
                timer.cancel()
                return self._begun(turn)
            if self._free:
                self._free -= 1
                return self._begun(Turn())
        mine: asyncio.Future[Turn[T]] = asyncio.get_running_loop().create_future()
        self._waiting.append((mine, reads))
        if not self._free:
            self._put_back_oldest()  # what rests has the turn that this one needs
        self._serve()
        try:
            async with asyncio.timeout(self._patience):
                return await mine
        except TimeoutError:
            if not mine.cancelled():
                return mine.result()  # it came at the last moment
            raise
        except asyncio.CancelledError:
            if not mine.cancelled():
                self._decline(mine.result())
            raise

    def hand_on(self, turn: Turn[T]) -> bool:
        """Give one's turn to the next one together with what it worked with, or let both rest where nobody waits.

        False where the next one doesn't read, or may not begin yet: then both are to be put back.
        """
        self._young.pop(turn, None)
        following = self._next()
        if following is None and self._rests:
            self._resting.append((turn, asyncio.get_running_loop().call_later(REST, self._put_back_oldest)))
            return True
        if following is None or not following[1] or not self._room():
            self._serve()
            return False
        self._waiting.popleft()
        following[0].set_result(self._begun(turn))
        return True

    def give(self, turn: Turn[T]) -> None:
        """Give one's turn to the next one, if anybody waits."""
        self._young.pop(turn, None)
        self._free += 1
        self._serve()

    def end(self) -> None:
        """Put back all that rests."""
        while self._resting:
            self._put_back_oldest()

    def _begun(self, turn: Turn[T]) -> Turn[T]:
        turn.since = monotonic()
        self._young[turn] = None
        return turn

    def _room(self) -> bool:
        """Whether one more may begin."""
        if len(self._young) >= self._busy:
            grown = monotonic() - LONG
            while self._young and (oldest := next(iter(self._young))).since <= grown:
                del self._young[oldest]
        return len(self._young) < self._busy

    def _serve(self) -> None:
        """Let begin who may."""
        while self._free and (following := self._next()) and self._room():
            self._waiting.popleft()
            self._free -= 1
            following[0].set_result(self._begun(Turn()))
        self._await_room()

    def _await_room(self) -> None:
        """See to it that who waits is let in when a turn has grown old, if none ends before."""
        if self._growing_up is None and self._waiting and self._free and self._young:
            oldest = next(iter(self._young))
            wait = max(0.0, oldest.since + LONG - monotonic())
            self._growing_up = asyncio.get_running_loop().call_later(wait, self._grown_up)

    def _grown_up(self) -> None:
        self._growing_up = None
        self._serve()

    def _decline(self, turn: Turn[T]) -> None:
        if turn.work is None:
            self.give(turn)
        elif not self.hand_on(turn):
            self._put_back(turn)

    def _put_back_oldest(self) -> None:
        """Put back what has rested longest, if anything rests."""
        if self._resting:
            turn, timer = self._resting.popleft()
            timer.cancel()
            self._put_back(turn)

    def _next(self) -> tuple[asyncio.Future[Turn[T]], bool] | None:
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None
