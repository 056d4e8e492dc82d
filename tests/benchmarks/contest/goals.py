"""What must be reached, measured where the table of operations does not tell it already."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from benchmarks.contest import ground, processes
from benchmarks.contest.cases import NEWEST, OF_KIND
from benchmarks.contest.ground import CITY, NATION, Ground, Size, Tokens
from benchmarks.contest.load import Asked, replay
from benchmarks.contest.measure import Case, Measured, Meter, ratios, spread
from benchmarks.contest.processes import Served
from benchmarks.contest.report import Goal

CROWD = 64
FEWER = "8"  # connections of a process where several contestants keep theirs meanwhile; PostgreSQL allows 100
READS = ("single read", "newest 50, nation", "filtered list, nation")
WRITES = ("create", "transition")


def told(found: Sequence[Measured]) -> list[Goal]:
    """The goals that are ratios of what was measured."""
    by = {one.case.name: one for one in found}
    lists = [f"{what}, {who}" for what in ("newest 50", "filtered list") for who in ("city", "nation")]
    of_hand = {"single read": 0.5, **dict.fromkeys(lists, 0.75), **dict.fromkeys(WRITES, 0.6)}
    goals = [
        Goal(f"{name}: c / b", ratios(by[name].rates("c"), by[name].rates("b")), goal, least=True)
        for name, goal in of_hand.items()
    ]
    for names, goal in ((READS, 5.0), (WRITES, 2.0)):
        goals += [
            Goal(f"{name}: c / d", ratios(by[name].rates("c"), by[name].rates("d")), goal, least=True)
            for name in names
            if "d" in by[name].blocks
        ]
    return goals


def depth(pages: tuple[str, str], tokens: Tokens, meter: Meter, size: Size) -> list[Goal]:
    """The first page of the nation's list and a late one, in turns."""
    served = meter.contestants["c"]
    both = meter.another(dict.fromkeys(("first", "late"), served))
    asked = {letter: _reading(tokens, NATION, page) for letter, page in zip(both.contestants, pages, strict=True)}
    found = both.measure(Case("first page and late page", asked), rounds=size.rounds, seconds=size.seconds)
    share = ratios(found.rates("first"), found.rates("late"))
    return [Goal("late page: time to first page's", share, 1.2, least=False)]


def sizes(many: Served, few: Served, of: Mapping[str, Tokens], meter: Meter, size: Size) -> list[Goal]:
    """The same read in the large and in a small nation, in turns."""
    goals = []
    both = meter.another({"many": many, "few": few})
    for name, agency, path in (
        ("single read", CITY, None),
        ("newest 50, city", CITY, NEWEST),
        ("newest 50, nation", NATION, NEWEST),
        ("filtered list, nation", NATION, OF_KIND),
    ):
        asked = {letter: _reading(tokens, agency, path) for letter, tokens in of.items()}
        found = both.measure(Case(f"{name}, two sizes", asked), rounds=size.rounds, seconds=size.seconds)
        told_ = ratios(found.rates("few"), found.rates("many"))
        goals.append(Goal(f"{name}: time at {size.tasks:,} to {size.few:,} tasks", told_, 1.2, least=False))
    return goals


def _reading(tokens: Tokens, agency: str = CITY, path: str | None = None) -> Callable[[], list[Asked]]:
    """Reads of one path, or of the newest tasks of which the agency sees all, one by one."""
    paths = (
        [path]
        if path
        else [f"/v1/tasks/{one['id']}" for one in tokens.get(agency, NEWEST).json()["items"] if one["access"] == "full"]
    )
    return lambda: [Asked(one, tokens.headers(agency)) for one in paths]


def workers(tokens: Tokens, meter: Meter, size: Size) -> list[Goal]:
    """`SIMPUL_WORKERS=2` against one."""
    goals = []
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(ground.ours(meter.on, SIMPUL_WORKERS=many, SIMPUL_POOL_SIZE=FEWER)) for many in "12"
        )
        both = meter.another({"one": one, "two": two})
        for name, path in (("single read", None), ("newest 50", NEWEST)):
            asked = dict.fromkeys(("one", "two"), _reading(tokens, path=path))
            case = Case(f"{name}, one process and two", asked, connections=CROWD)
            for letter in case.letters:
                both.block(case, letter, 2 * size.seconds)  # a process that has just begun knows no statement yet
            found = both.measure(case, rounds=size.rounds, seconds=size.seconds)
            note = f"{os.cpu_count()} cores, shared with PostgreSQL and the load"
            gain = ratios(found.rates("two"), found.rates("one"))
            goals.append(Goal(f"{name}: two processes to one", gain, 1.8, least=True, note=note))
    return goals


def crowd(tokens: Tokens, meter: Meter, size: Size) -> list[Goal]:
    """How long the unluckiest of 64 clients wait."""
    case = Case(f"single read, {CROWD} clients", {"c": _reading(tokens)}, connections=CROWD)
    found = meter.measure(case, rounds=size.rounds, seconds=size.seconds)
    refused = sum(block.refused for block in found.blocks["c"])
    share = spread([block.p99 / block.p50 for block in found.blocks["c"] if block.p50] or [math.inf])
    note = f"{refused:,} refused, {sum(block.answers for block in found.blocks['c']):,} answered"
    return [Goal(f"p99 to p50 with {CROWD} clients", share, 5.0, least=False, note=note)]


def memory(tokens: Tokens, meter: Meter, size: Size) -> list[Goal]:
    """What the API process keeps in memory after many requests, and whether it has grown since half of them."""
    served, asked = meter.contestants["c"], _reading(tokens)
    api = processes.descendants(served.pid)[0]
    done, sizes_, began = 0, [processes.resident(api)], time.monotonic()
    while done < size.many_requests and time.monotonic() < began + size.longest:
        found = replay(served.port, asked(), connections=8, seconds=max(1.0, min(30.0, size.longest / 10)))
        done += round(found["requests"])
        sizes_.append(processes.resident(api))
    half = sizes_[len(sizes_) // 2]
    note = f"{done:,} single reads after all of the above; {sizes_[0]:.0f} MiB before, {half:.0f} half way"
    last = (sizes_[-1],) * 3
    growth = (sizes_[-1] / half,) * 3
    return [
        Goal("memory of the API process, MiB", last, 150, least=False, note=note),
        Goal("memory at the end to half way", growth, 1.02, least=False),
    ]


def start_up(on: Ground, size: Size) -> list[Goal]:
    """From the start of `simpul serve` to its first 200 of /readyz, its database warm and nothing to do."""
    taken = []
    for _ in range(size.rounds + 1):
        began = time.perf_counter()
        with ground.ours(on):
            taken.append(time.perf_counter() - began)
    return [Goal("start-up, seconds", spread(taken[1:]), 2.0, least=False)]
