"""`make bench`: four ways to the same answers, side by side, on one machine."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.contest import goals, ground, peer, processes, report
from benchmarks.contest.cases import Questions
from benchmarks.contest.ground import CITY, NATION, OWNER, Ground, Size, Tokens
from benchmarks.contest.measure import Meter
from benchmarks.contest.processes import Served
from benchmarks.contest.report import Goal
from rich.console import Console

OUT = processes.ROOT / "var/bench"


def hand(on: Ground) -> dict[str, object]:
    """What contestant b is told."""
    clients = {agency: on.clients[agency]["client_id"] for agency in (CITY, NATION, OWNER)}
    return {"url": on.url, "var": str(on.var), "clients": clients}


@contextmanager
def bare(on: Ground, kept: dict[str, str], folder: Path) -> Iterator[Served]:
    """Contestant a, with what it answers."""
    file = folder / "kept.json"
    file.write_text(json.dumps(kept))
    first = next(iter(kept))
    with processes.module("benchmarks.contest.bare", {"kept": str(file)}, log=on.logs / "bare.log", probe=first) as one:
        yield one


def sizes(on: Ground, tokens: Tokens, meter: Meter, size: Size) -> list[Goal]:
    """The goals that want a small nation beside the large one: another database of the cluster, a server over it."""
    url = asyncio.run(ground.another(on.url, "few"))
    few = ground.lay(url, on.postmaster, on.var.parent, "few", tasks=size.few)
    with ground.ours(few) as served:
        with processes.stilled(meter.all):
            ground.rest(served, on.postmaster)
        both = {"many": tokens, "few": Tokens(few, served)}
        return goals.sizes(meter.contestants["c"], served, both, meter, size)


def beyond(on: Ground, tokens: Tokens, meter: Meter, size: Size) -> Iterator[list[Goal]]:
    """The goals that neither the operations nor two nations tell of."""
    yield goals.crowd(tokens, meter, size)
    if size.whole:
        yield goals.workers(tokens, meter, size)
        yield goals.memory(tokens, meter, size)
        yield goals.start_up(on, size)


def main() -> None:
    """Start everything, measure, stop everything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of every `finally`
    console, size = Console(width=200, highlight=False), Size.chosen()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-bench-")))
        folder.chmod(0o755)
        url, postmaster = stack.enter_context(ground.cluster(folder))
        began = time.perf_counter()
        on = ground.lay(url, postmaster, folder, "many", tasks=size.tasks)
        console.print(f"{size.tasks:,} tasks in {time.perf_counter() - began:.0f} s")
        contestants: dict[str, Served] = {"c": stack.enter_context(ground.ours(on))}
        contestants["b"] = stack.enter_context(
            processes.module("benchmarks.contest.hand", hand(on), log=on.logs / "hand.log", probe="/")
        )
        if peer.installed():
            contestants["d"] = stack.enter_context(peer.served(on, folder))
        ground.rest(contestants["c"], postmaster)
        tokens, many = Tokens(on, contestants["c"]), 1_000 + round(2_000 * size.seconds)
        questions = Questions(on, contestants, tokens, many=many, tries=3 if size.whole else 1)
        reads = questions.reads()
        contestants["a"] = stack.enter_context(bare(on, questions.kept, folder))
        meter = Meter(on, contestants, console)

        measured = partial(meter.measure, rounds=size.rounds, seconds=size.seconds)
        found = [measured(case) for case in reads]
        reached = goals.depth(questions.pages, tokens, meter, size)
        reached += sizes(on, tokens, meter, size) if size.whole else []
        for mark, count in (("WRK", many), ("TRP", 8)):
            asyncio.run(ground.put_to_work(on.url, mark=mark, count=count))
        asyncio.run(ground.checkpoint(on.url))
        found += [measured(case) for case in questions.writes()]
        found += [measured(case) for case in questions.alone()]
        reached += goals.told(found)
        facts, out = report.facts(size), OUT / f"{size.tasks}"
        report.write(out, found, reached, facts)  # the rest may take as long again
        for further in beyond(on, tokens, meter, size):
            reached += further
            report.write(out, found, reached, facts)
    report.show(console, found, reached)
    console.print(f"Written to {out}: bench.md, bench.json, bench.svg")


if __name__ == "__main__":
    main()
