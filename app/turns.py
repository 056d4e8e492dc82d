"""Turns on the connections of a process: who comes first is served first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Seconds: less than a request takes, so that who asks one after the other meets what it left.
REST = 0.005


class Turns(Generic[T]):
    """So many turns, and those who wait for one. Whoever has one may hand on, with the turn, what it worked with.

    Where nobody waits, it rests a moment (`REST`) for who comes next. `put_back` puts away what nobody goes on with,
    and then gives the turn that came with it.
    """

    def __init__(self, free: int, *, patience: float, put_back: Callable[[T], object]) -> None:
        self._free = free
        self._patience = patience
        self._put_back = put_back
        self._waiting: deque[tuple[asyncio.Future[T | None], bool]] = deque()
        self._resting: deque[tuple[T, asyncio.TimerHandle]] = deque()

    async def take(self, *, reads: bool) -> T | None:
        """Wait for a turn: with what somebody handed on, where one that `reads` gets it, or with nothing.

        Raises TimeoutError when none comes in time (`patience`, seconds).
        """
        if reads and self._resting:
            work, timer = self._resting.pop()
            timer.cancel()
            return work
        if self._free:
            self._free -= 1
            return None
        self._wake()
        mine: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((mine, reads))
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

    def _decline(self, work: T | None) -> None:
        if work is None:
            self.give()
        elif not self.hand_on(work):
            self._put_back(work)

    def hand_on(self, work: T) -> bool:
        """Give one's turn to the next one together with what it worked with, unless the next one doesn't read."""
        following = self._next()
        if following is None:
            self._resting.append((work, asyncio.get_running_loop().call_later(REST, self._wake)))
            return True
        if not following[1]:
            return False
        self._waiting.popleft()
        following[0].set_result(work)
        return True

    def end(self) -> None:
        """Put back all that rests."""
        while self._resting:
            self._wake()

    def _wake(self) -> None:
        """Put back what has rested longest, if anything rests."""
        if self._resting:
            work, timer = self._resting.popleft()
            timer.cancel()
            self._put_back(work)

    def give(self) -> None:
        """Give one's turn to the next one, if anybody waits."""
        following = self._next()
        if following is None:
            self._free += 1
        else:
            self._waiting.popleft()
            following[0].set_result(None)

    def _next(self) -> tuple[asyncio.Future[T | None], bool] | None:
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None
