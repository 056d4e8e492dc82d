"""Short blocks of load on each contestant in turns, so that whatever else the machine does falls on all of them."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.contest import ground, processes
from benchmarks.contest.load import Asked, replay
from benchmarks.contest.processes import Served
from rich.console import Console

CONNECTIONS = 8
FEW = 3  # rounds of a short run


@dataclass(frozen=True)
class Block:
    """What one block measured: requests a second, milliseconds of half and of 99 %, processor milliseconds each."""

    rate: float
    p50: float
    p99: float
    server: float
    database: float
    requests: int
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

    def run(self, letter: str, served: Served, seconds: float) -> dict[str, float]:
        """One block of load."""
        if letter in self.runners:
            return self.runners[letter](served, seconds)
        once = self.name if self.writes else ""
        return replay(served.port, self.asked[letter](), connections=self.connections, seconds=seconds, once=once)

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
        """Requests a second, round by round."""
        return [block.rate for block in self.blocks[letter]]


class Meter:
    """Measures on one ground."""

    def __init__(self, on: ground.Ground, contestants: Mapping[str, Served], console: Console) -> None:
        self.on, self.contestants, self.console = on, contestants, console

    def block(self, case: Case, letter: str, seconds: float) -> Block:
        """One block; what it was about to write is written before the next begins."""
        served = self.contestants[letter]
        if case.writes:
            asyncio.run(ground.drain(self.on.url))
        before = processes.spent(served.pid), processes.spent(self.on.postmaster)
        found = case.run(letter, served, seconds)
        after = processes.spent(served.pid), processes.spent(self.on.postmaster)
        done = max(1, round(found["requests"]))
        server, database = ((late - early) * 1000 / done for early, late in zip(before, after, strict=True))
        rate = found["requests"] / found["seconds"]
        refused = round(found["refused"] + found["broken"])
        return Block(rate, found["p50"], found["p99"], server, database, round(found["requests"]), refused)

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
