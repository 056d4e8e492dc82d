"""Past one machine, on one: a primary, two that follow it, several processes of the API; and the death of the primary.

`make scale` runs it. The layouts take turns, some rounds long; of each it prints how many requests a second it answers,
what all processes spend (the load's own too), and where PostgreSQL was asked. Then it kills the primary (-9) under
writes, promotes a follower as an operator would, and counts what was acknowledged and is there. Figures are for people;
nothing here is a test, but it fails if an acknowledged write is lost.

SIMPUL_SCALE_TASKS (20,000), SIMPUL_SCALE_PROCESSES (2), SIMPUL_SCALE_ROUNDS (3), SIMPUL_SCALE_SECONDS (2) set how much
and how long.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise, product
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import httpx
from benchmarks.contest.measure import spread
from benchmarks.contest.processes import spent
from fleet import FOLLOWERS, PRIMARY, Fleet, fleet
from nation import settle
from pooler import PROGRAM, pooled
from rich.console import Console
from rich.table import Table
from running import Running, running, token
from support import task

from app import embedded, start
from app.settings import Settings

TASKS = int(os.environ.get("SIMPUL_SCALE_TASKS", "20000"))
PROCESSES = int(os.environ.get("SIMPUL_SCALE_PROCESSES", "2"))
SECONDS = float(os.environ.get("SIMPUL_SCALE_SECONDS", "2"))
ROUNDS = int(os.environ.get("SIMPUL_SCALE_ROUNDS", "3"))
CONNECTIONS, WRITERS, WARM = 16, 8, 1.0
#: How long a refused write is tried again, and how long after the kill an operator acts (seconds).
PATIENCE, NOTICED_AFTER = 60.0, 1.0
_ASKED: Final = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
_LAG: Final = "select extract(epoch from max(replay_lag)) * 1000 from pg_stat_replication"


class Line:
    """One kept connection that asks and reads whole answers, and is opened anew when it broke."""

    def __init__(self, port: int, bearer: str) -> None:
        self._port, self._bearer = port, bearer
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, body: bytes | None = None, *, key: str = "") -> tuple[int, bytes]:
        """Status and body; raises OSError, EOFError."""
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._ends
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: simpul\r\n"
        head += f"Authorization: Bearer {self._bearer}\r\n"
        if body is not None:
            head += f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(f"{head}\r\n".encode() + (body or b""))
                said = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                length = next(int(one.split(b":")[1]) for one in said if one.startswith(b"content-length:"))
                return int(said[0].split()[1]), await reader.readexactly(length)
        except (OSError, EOFError):
            self.close()
            raise

    def close(self) -> None:
        """Leave."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None


@dataclass
class Writing:
    """What was acknowledged: the id of each task by the key that it was sent with, and when, in order."""

    made: dict[str, str] = field(default_factory=dict)
    moments: list[float] = field(default_factory=list)
    refused: int = 0
    over: bool = False

    def gap(self, since: float) -> float:
        """The longest time in which nothing was acknowledged, from shortly before a moment on (seconds)."""
        after = [one for one in self.moments if one > since - 1]
        return max((later - one for one, later in pairwise(after)), default=0.0)


class Found(NamedTuple):
    """Requests a second, milliseconds of half and of 99 %, processor seconds of all, transactions here and there."""

    rate: float
    median: float
    late: float
    spent: float
    primary: float
    replicas: float


async def measure(port: int, bearer: str, path: str, *, writes: bool) -> tuple[float, float, float]:
    """Requests a second over all connections, and the median and the 99th percentile of one (milliseconds)."""
    lines = [Line(port, bearer) for _ in range(CONNECTIONS)]

    async def drive(line: Line, until: float, took: list[float]) -> None:
        while (began := time.perf_counter()) < until:
            status, said = await line.ask(path, body() if writes else None, key=str(uuid4()))
            if status not in {200, 201}:
                raise RuntimeError(said)
            took.append((time.perf_counter() - began) * 1000)

    async def drive_all(seconds: float) -> list[float]:
        took: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(drive(line, until, took) for line in lines))
        return took

    await drive_all(WARM)
    began = time.perf_counter()
    took = await drive_all(SECONDS)
    lasted = time.perf_counter() - began
    for line in lines:
        line.close()
    parts = statistics.quantiles(took, n=100)
    return len(took) / lasted, parts[49], parts[98]


_numbers = count(1)


def body() -> bytes:
    """A task that nobody has logged yet."""
    return json.dumps(task(title=f"Uji skala {next(_numbers)}")).encode()


@contextmanager
def served(settings: Settings, more: dict[str, str]) -> Iterator[Running]:
    """`simpul serve` in so many processes, once all of them listen."""
    with running(more["SIMPUL_DATABASE_URL"], settings, more=more) as made:
        time.sleep(2)
        yield made


def layouts(servers: Fleet, stack: ExitStack) -> Iterator[tuple[str, dict[str, str]]]:
    """What is compared, with its settings."""
    direct = {
        "SIMPUL_DATABASE_URL": servers.url(PRIMARY, *FOLLOWERS, role="read-write"),
        "SIMPUL_REPLICA_URL": servers.url(*FOLLOWERS, role="standby"),
    }
    several = {**direct, "SIMPUL_WORKERS": str(PROCESSES)}
    yield "1 process, no replica", {"SIMPUL_DATABASE_URL": direct["SIMPUL_DATABASE_URL"]}
    yield "1 process", direct
    yield f"{PROCESSES} processes", several
    if PROGRAM is not None:
        yield (
            f"{PROCESSES} processes, PgBouncer",
            {
                **several,
                "SIMPUL_DATABASE_URL": stack.enter_context(pooled(servers.url(PRIMARY), size=16)),
                "SIMPUL_REPLICA_URL": stack.enter_context(pooled(servers.url(FOLLOWERS[0]), size=8)),
                "SIMPUL_OWNER_URL": servers.url(PRIMARY),
                "SIMPUL_POOLED": "true",
            },
        )


async def asked(servers: Fleet) -> tuple[int, int]:
    """Transactions so far at the primary, and at those that follow it."""
    await asyncio.sleep(1.2)  # a connection tells of its transactions once a second
    counts = [int(await servers.ask(one, _ASKED)) for one in (PRIMARY, *FOLLOWERS)]
    return counts[0], sum(counts[1:])


async def compare(servers: Fleet, settings: Settings, known: str, console: Console) -> None:
    """Drive each layout with the same requests."""
    operations = {
        "single read": (f"/v1/tasks/{known}", False),
        "newest 50": ("/v1/tasks?limit=50", False),
        "statistics": ("/v1/statistics/tasks", False),
        "feed, 200": ("/v1/events?after=0&limit=200", False),
        "create": ("/v1/tasks", True),
    }
    found: dict[tuple[str, str], list[Found]] = {}
    with ExitStack() as stack:
        compared = list(layouts(servers, stack))
        for round_ in range(ROUNDS):
            for name, more in compared if round_ % 2 else reversed(compared):
                with served(settings, more) as one:
                    bearer = await sign_in(one, settings)
                    after = await asked(servers)
                    for operation, (path, writes) in operations.items():
                        before, spent_ = after, spent(os.getpid())
                        measured = await measure(one.port, bearer, path, writes=writes)
                        ours = spent(os.getpid()) - spent_
                        after = await asked(servers)
                        asked_ = [later - earlier for earlier, later in zip(before, after, strict=True)]
                        found.setdefault((operation, name), []).append(Found(*measured, ours, *asked_))
    console.print(_told(operations, [name for name, _ in compared], found))
    if PROGRAM is None:
        console.print("PgBouncer is not installed: that layout was left out.")
    console.print("Transactions: those of all requests, of the worker and of the looks at the replica's age.")


def _told(operations: Iterable[str], names: Iterable[str], found: Mapping[tuple[str, str], Sequence[Found]]) -> Table:
    """Medians of the rounds; of the rates their quartiles too."""
    table = Table(
        "request", "layout", "a second", "median, ms", "p99, ms", "cores", "at the primary", "at replicas"
    )  # fmt: skip
    for operation, name in product(operations, names):
        rounds = found[operation, name]
        low, rate, high = spread([one.rate for one in rounds])
        middle = Found(*map(statistics.median, zip(*rounds, strict=True)))
        table.add_row(
            operation, name, f"{rate:,.0f} ({low:,.0f}..{high:,.0f})", f"{middle.median:.1f}", f"{middle.late:.1f}",
            f"{middle.spent / (SECONDS + WARM):.1f}", f"{middle.primary:,.0f}", f"{middle.replicas:,.0f}",
        )  # fmt: skip
    return table


async def sign_in(one: Running, settings: Settings) -> str:
    """A token of KPU Kota Malang's supervisor."""
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    async with httpx.AsyncClient(base_url=one.address, timeout=30) as http:
        return await token(http, kept[0])


async def write(line: Line, writing: Writing) -> None:
    """Create one task after another, each until it is acknowledged."""
    while not writing.over:
        said, key = body(), str(uuid4())
        until = time.monotonic() + PATIENCE
        while True:
            try:
                status, answer = await line.ask("/v1/tasks", said, key=key)
            except (OSError, EOFError):
                status, answer = 503, b""
            if status == 201:
                writing.made[key] = json.loads(answer)["id"]
                writing.moments.append(time.monotonic())
                break
            if status != 503 or time.monotonic() > until:
                raise RuntimeError(answer)
            writing.refused += 1
            await asyncio.sleep(0.1)


@asynccontextmanager
async def watched_lag(servers: Fleet) -> AsyncIterator[list[float]]:
    """How far the slower follower is behind (milliseconds), looked at again and again."""
    found: list[float] = []

    async def look() -> None:
        while True:
            found.append(float(await servers.ask(PRIMARY, _LAG) or 0))
            await asyncio.sleep(0.1)

    looking = asyncio.create_task(look())
    try:
        yield found
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def fail_over(servers: Fleet, settings: Settings, console: Console) -> None:
    """Kill the primary under writes, promote a follower, and look for each task that was acknowledged."""
    more = {
        "SIMPUL_DATABASE_URL": servers.url(PRIMARY, *FOLLOWERS, role="read-write"),
        "SIMPUL_REPLICA_URL": servers.url(*FOLLOWERS, role="standby"),
        "SIMPUL_WORKERS": str(PROCESSES),
    }
    with served(settings, more) as one:
        bearer, writing = await sign_in(one, settings), Writing()
        writers = [asyncio.create_task(write(Line(one.port, bearer), writing)) for _ in range(WRITERS)]
        async with watched_lag(servers) as lags:
            await asyncio.sleep(WARM + SECONDS)
        killed, before = time.monotonic(), len(writing.made)
        servers.kill(PRIMARY)
        await asyncio.sleep(NOTICED_AFTER)
        promoted = await servers.promote()
        took = time.monotonic() - killed
        await servers.checkpoint(promoted)
        await asyncio.sleep(SECONDS)
        writing.over = True
        await asyncio.wait_for(asyncio.gather(*writers), PATIENCE)
        await report(servers, promoted, writing, console)
        table = Table("failover", "")
        table.add_row("behind the primary under writes, median and most, ms", f"{_middle(lags)} {max(lags):.1f}")
        table.add_row("acknowledged before the kill, after it", f"{before:,} {len(writing.made) - before:,}")
        table.add_row("refused meanwhile and tried again", f"{writing.refused:,}")
        table.add_row(f"until a follower was the primary, {NOTICED_AFTER:.0f} s of that unnoticed, s", f"{took:.1f}")
        table.add_row("nothing acknowledged for, s", f"{writing.gap(killed):.1f}")
        console.print(table)


def _middle(found: list[float]) -> str:
    return f"{statistics.median(found):.1f}"


async def report(servers: Fleet, promoted: str, writing: Writing, console: Console) -> None:
    """Count what was acknowledged and is there; raises RuntimeError when a task is missing, or is there twice."""
    ids = ",".join(f"'{one}'" for one in writing.made.values())
    there = int(await servers.ask(promoted, f"select count(*) from task where id in ({ids})"))
    twice = int(
        await servers.ask(
            promoted,
            "select count(*) - count(distinct title) from task where title like 'Uji skala %'",
        )
    )
    console.print(f"{promoted} was promoted: {len(writing.made):,} creates were acknowledged, {there:,} are there,")
    console.print(f"{twice} are there twice.")
    if there != len(writing.made) or twice:
        raise RuntimeError("an acknowledged write was lost, or made twice")


async def drive(url: str, settings: Settings, console: Console) -> None:
    """Load, copy, measure, kill."""
    with running(url, settings, more={"SIMPUL_REGISTER_ON_START": "false"}) as one:
        await settle(url, count=TASKS)
        bearer = await sign_in(one, settings)
        line = Line(one.port, bearer)
        known = json.loads((await line.ask("/v1/tasks", body(), key=str(uuid4())))[1])["id"]
        line.close()
    async with fleet(url, durable=True) as servers:
        console.print(f"A primary and two that follow it, {TASKS:,} tasks, {CONNECTIONS} connections, loopback.")
        await compare(servers, settings, known, console)
        await fail_over(servers, settings, console)


def main() -> None:
    """Start everything, stop everything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of every `finally`
    console = Console(width=130, highlight=False)
    with tempfile.TemporaryDirectory(prefix="simpul-scale-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(var=Path(folder, "var"))
        with embedded.serve(Path(folder, "postgres"), durable=False) as cluster:
            asyncio.run(drive(cluster.url, settings, console))


if __name__ == "__main__":
    main()
