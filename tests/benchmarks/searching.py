"""What a search costs: the same searches in a small nation of tasks and in a large one, through HTTP and every wall.

`make bench ONE=searching` runs it: two databases in one throwaway PostgreSQL, a real server process over each, one kept
connection to either; the two sizes are asked in turns, so that whatever else the machine does falls on both. It prints
median, p99 and how many times as long the large nation takes. SIMPUL_BENCH_ROWS sets the large one (1,000,000),
SIMPUL_BENCH_FEW the small one (10,000). Nothing here is a test: figures are for people.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from benchmarks.access import Line, ready, serve, token_of
from nation import founded
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded

MANY = int(os.environ.get("SIMPUL_BENCH_ROWS", "1000000"))
FEW = int(os.environ.get("SIMPUL_BENCH_FEW", "10000"))
ROUNDS = int(os.environ.get("SIMPUL_BENCH_ROUNDS", "200"))
WARM = 5
#: What is asked: by the nation's KPU, which may read a third of all tasks, and by that of one city.
ASKED = {
    "common word, newest": {"q": "banjir"},
    "common word, another form": {"q": "kebanjiran"},
    "common word, oldest by logging": {"q": "banjir", "sort": "effective_at"},
    "common word, province": {"q": "banjir", "region": "35"},
    "rare word": {"q": "kudanil"},
    "two words": {"q": "gudang banjir"},
    "misspelled": {"q": "logistk"},
    "misspelled, rare": {"q": "kudnail"},
    "found nowhere": {"q": "qwertyuiop"},
    "common word, estimated count": {"q": "banjir", "count": "estimate"},
    "no search: the list": {},
}
CALLERS = ("KPU_RI", "KPU_KOTA_MALANG")


@dataclass
class Nation:
    """A database of so many tasks and a server over it."""

    tasks: int
    port: int
    kept: list[dict[str, Any]]
    lines: dict[str, tuple[Line, str]]


async def create(url: str, name: str) -> str:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"create database {name}"))
    await engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def opened(tasks: int, port: int, kept: list[dict[str, Any]]) -> Nation:
    """A token and a connection for each caller."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        await ready(http)
        operator = await token_of(http, next(one for one in kept if one["agency"] is None))
        made = await http.post(
            "/v1/clients",
            json={"agency": CALLERS[0], "role": "supervisor", "purpose": "Bench"},
            headers={"Authorization": f"Bearer {operator}", "Idempotency-Key": "bench-searching-1"},
        )
        made.raise_for_status()
        clients = {CALLERS[0]: made.json(), CALLERS[1]: next(one for one in kept if one["agency"] == CALLERS[1])}
        lines = {}
        for name, client in clients.items():
            token = await token_of(http, client)
            lines[name] = (Line(*await asyncio.open_connection("127.0.0.1", port)), token)
    return Nation(tasks, port, kept, lines)


async def measure(nations: list[Nation], console: Console) -> None:
    """Ask each search of each nation in turns, and print what it took."""
    table = Table(
        "caller", "search", *(f"{one.tasks:,}: found, median, p99 ms" for one in nations), "ratio", "of p99",
        title=f"{ROUNDS} rounds, one connection",
    )  # fmt: skip
    for caller in CALLERS:
        for name, asked in ASKED.items():
            taken: list[list[float]] = [[] for _ in nations]
            number = [0 for _ in nations]
            for round_ in range(ROUNDS + WARM):
                for place, nation in enumerate(nations):
                    lasted, number[place] = await _ask(nation, caller, asked)
                    if round_ >= WARM:
                        taken[place].append(lasted)
            middles = [statistics.median(one) for one in taken]
            worst = [statistics.quantiles(one, n=100)[98] for one in taken]
            told = (f"{n}, {m:.1f}, {w:.1f}" for n, m, w in zip(number, middles, worst, strict=True))
            table.add_row(caller, name, *told, f"{middles[-1] / middles[0]:.2f}", f"{worst[-1] / worst[0]:.2f}")
    console.print(table)


async def _ask(nation: Nation, caller: str, asked: dict[str, str]) -> tuple[float, int]:
    line, token = nation.lines[caller]
    began = time.perf_counter()
    status, body = await line.ask(f"/v1/tasks?{urlencode(asked)}", token)
    lasted = (time.perf_counter() - began) * 1000
    if status != 200:
        raise RuntimeError(body)
    return lasted, len(json.loads(body)["items"])


def main() -> None:
    """Start everything, measure, stop everything."""
    console = Console(width=140, highlight=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-bench-")))
        folder.chmod(0o755)
        cluster = stack.enter_context(embedded.serve(folder / "postgres", durable=False))
        nations: list[tuple[int, int, list[dict[str, Any]]]] = []
        for tasks in (FEW, MANY):
            url, var = asyncio.run(create(cluster.url, f"of_{tasks}")), folder / f"var_{tasks}"
            var.mkdir()
            began = time.perf_counter()
            kept = asyncio.run(founded(url, var, count=tasks))
            console.print(f"{tasks:,} tasks loaded in {time.perf_counter() - began:.0f} s")
            bound = socket.create_server(("127.0.0.1", 0))
            stack.callback(bound.close)
            child = multiprocessing.get_context("spawn").Process(target=serve, args=(url, var, bound), daemon=True)
            child.start()
            stack.callback(child.join, 10)
            stack.callback(child.terminate)
            nations.append((tasks, bound.getsockname()[1], kept))

        async def run() -> None:
            await measure([await opened(*one) for one in nations], console)

        asyncio.run(run())


if __name__ == "__main__":
    main()
