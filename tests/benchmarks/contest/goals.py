"""What must be reached, measured where the table of operations does not tell it already."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
from benchmarks.contest import ground, processes
from benchmarks.contest.cases import FILTERED, NEWEST, Questions
from benchmarks.contest.ground import CITY, Ground, Size, Tokens
from benchmarks.contest.load import Asked, replay
from benchmarks.contest.measure import Case, Measured, Meter, ratios, spread
from benchmarks.contest.processes import Served
from benchmarks.contest.report import Goal
from rich.console import Console

CROWD = 64
READS = ("single read", "newest 50, nation", "filtered list")
WRITES = ("create", "transition")


def told(found: Sequence[Measured]) -> list[Goal]:
    """The goals that are ratios of what was measured."""
    by = {one.case.name: one for one in found}
    of_hand = {"single read": 0.5, "newest 50, city": 0.75, "newest 50, nation": 0.75, "filtered list": 0.75}
    of_hand |= dict.fromkeys(WRITES, 0.6)
    goals = [
        Goal(f"{name}: c / b", ratios(by[name].rates("c"), by[name].rates("b")), goal, least=True)
        for name, goal in of_hand.items()
    ]
    deep = next(one for one in found if one.case.name.startswith("deep page"))
    first = by["newest 50, nation"].rates("c")
    goals.append(
        Goal(f"{deep.case.name}: time to first page's", ratios(first, deep.rates("c")), 1.2, least=False)
    )
    for names, goal in ((READS, 5.0), (WRITES, 2.0)):
        goals += [
            Goal(f"{name}: c / d", ratios(by[name].rates("c"), by[name].rates("d")), goal, least=True)
            for name in names
            if "d" in by[name].blocks
        ]
    return goals


def sizes(many: Served, few: Served, of: Mapping[str, Tokens], meter: Meter, size: Size) -> list[Goal]:
    """The same read in the large and in a small nation, in turns."""
    goals = []
    both = Meter(meter.on, {"c": many, "few": few}, meter.console)
    for name, path in (("single read", ""), ("newest 50", NEWEST), ("filtered list", FILTERED)):
        asked = {letter: _reading(tokens, path) for letter, tokens in of.items()}
        found = both.measure(Case(f"{name}, two sizes", asked), rounds=size.rounds, seconds=size.seconds)
        told_ = ratios(found.rates("few"), found.rates("c"))
        goals.append(Goal(f"{name}: time at {size.tasks:,} to {size.few:,} tasks", told_, 1.2, least=False))
    return goals


def _reading(tokens: Tokens, path: str):  # type: ignore[no-untyped-def]
    ids = [one["id"] for one in tokens.get(CITY, NEWEST).json()["items"] if one["access"] == "full"]
    paths = [path] if path else [f"/v1/tasks/{id}" for id in ids]
    return lambda: [Asked(one, tokens.headers(CITY)) for one in paths]
