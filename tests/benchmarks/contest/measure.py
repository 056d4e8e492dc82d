"""Short blocks of load on each contestant in turns, so that whatever else the machine does falls on all of them."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.contest import ground, processes
from benchmarks.contest.load import Asked, replay
from benchmarks.contest.processes import Served
from rich.console import Console

CONNECTIONS = 8
FEW = 3  # rounds of a short run


@dataclass(frozen=True)
class Block:
    """What one block measured: answers a second, milliseconds of half and of 99 %, processor milliseconds each.

    An answer is one that was not refused.
    """

    rate: float
    p50: float
    p99: float
    server: float
    database: float
    answers: int
    refused: int


Runner = Callable[[Served, float], dict[str, float]]


@dataclass(frozen=True)
class Case:
    """An operation: what is asked of each contestant, by its letter. `writes`: nothing may be asked twice."""

    name: str
    asked: Mapping[str, Callable[[], Sequence[Asked]]] = field(default_factory=dict)
    writes: bool = False
    connections: int = CONNECTIONS
    runners: Mapping[str, Runner] = field(default_factory=dict)
    note: str = ""

    def load(self, letter: str, served: Served, seconds: float) -> Callable[[], dict[str, float]]:
        """One block of load, ready to be put: whatever must be asked of others for it has been asked."""
        if letter in self.runners:
            return partial(self.runners[letter], served, seconds)
        asked = self.asked[letter]()
        return partial(replay, served.port, asked, connections=self.connections, seconds=seconds, once=self.writes)

    @property
    def letters(self) -> list[str]:
        """Who takes part."""
        return sorted({*self.asked, *self.runners})


@dataclass
class Measured:
    """All blocks of a case, by contestant; those of one round stand at the same place."""

    case: Case
    blocks: dict[str, list[Block]]

    def rates(self, letter: str) -> list[float]:
        """Answers a second, round by round."""
        return [block.rate for block in self.blocks[letter]]


class Meter:
    """Measures on one ground."""

    def __init__(
        self,
        on: ground.Ground,
        contestants: Mapping[str, Served],
        console: Console,
        *,
        beside: Collection[Served] = (),
    ) -> None:
        self.on, self.contestants, self.console = on, contestants, console
        self.all = {*contestants.values(), *beside}

    def another(self, contestants: Mapping[str, Served]) -> Meter:
        """One for other contestants, in whose time those of this one do nothing."""
        return Meter(self.on, contestants, self.console, beside=self.all)

    def block(self, case: Case, letter: str, seconds: float) -> Block:
        """One block, alone: what the one before left is done, and the others are stilled.

        Placing its facts in the log counts as what a contestant spends; only ours has to.
        """
        served = self.contestants[letter]
        load = case.load(letter, served, seconds)
        asyncio.run(self._quiet(case))
        with processes.stilled(self.all - {served}):
            before = self._spent(served)
            found = load()
            if case.writes and letter == "c":
                asyncio.run(ground.drained(self.on.url))
            after = self._spent(served)
        done = round(found["requests"] - found["refused"])
        server, database = ((late - early) * 1000 / max(1, done) for early, late in zip(before, after, strict=True))
        refused = round(found["refused"] + found["broken"])
        return Block(done / found["seconds"], found["p50"], found["p99"], server, database, done, refused)

    async def _quiet(self, case: Case) -> None:
        if case.writes:
            await ground.drained(self.on.url)
        await ground.idle(self.on.url)

    def _spent(self, served: Served) -> tuple[float, float]:
        return processes.spent(served.pid), processes.spent(self.on.postmaster)

    def measure(self, case: Case, *, rounds: int, seconds: float) -> Measured:
        """All rounds of a case, the order turned about in every second one; the first of a long run only warms."""
        began = time.perf_counter()
        letters = [one for one in case.letters if one in self.contestants]
        blocks: dict[str, list[Block]] = {letter: [] for letter in letters}
        for letter in letters if rounds > FEW else ():
            self.block(case, letter, min(seconds, 1))
        for round_ in range(rounds):
            for letter in letters if round_ % 2 else reversed(letters):
                blocks[letter].append(self.block(case, letter, seconds))
        told = ", ".join(f"{one} {statistics.median(b.rate for b in blocks[one]):,.1f}/s" for one in letters)
        self.console.print(f"{time.perf_counter() - began:5.0f} s  {case.name}: {told}")
        return Measured(case, blocks)


def spread(found: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile; not a number where there is nothing to tell of."""
    if not found:
        return math.nan, math.nan, math.nan
    if len(found) < 2:
        return found[0], found[0], found[0]
    low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
    return low, middle, high


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Round by round."""
    return spread([one / other for one, other in zip(ours, theirs, strict=True) if other])
