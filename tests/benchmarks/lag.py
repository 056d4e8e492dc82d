"""How far the log is behind: from the answer to a write to its fact's place, and to the signed head over it.

`make bench ONE=lag` runs it: a throwaway PostgreSQL, one `simpul serve` with its worker, writes over HTTP at a steady
rate. Then, without a service: what idle polling costs, a backlog placed, and a round on a log of many entries. Nothing
here is a test: figures are for people.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from running import running
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, task

from app import embedded, start, worker
from app.db import Database, execute, rows, value
from app.services import sequencer
from app.settings import Settings

_SAID = {"RATE": 50, "SECONDS": 30, "BACKLOG": 100_000, "ENTRIES": 100_000}
RATE, SECONDS, BACKLOG, ENTRIES = (int(os.environ.get(f"SIMPUL_BENCH_{name}", said)) for name, said in _SAID.items())
CROWD = 12  # writes under way at most
BULK = """
    insert into event
        (id, kind, object_type, object_id, request_id, effective_at, recorded_at, payload, words, salt, leaf)
    select gen_random_uuid(), 'stage.updated', 'stage', n::text, 'bulk', now(), now(), '{}', '{}', '',
        sha256(n::text::bytea) from generate_series(1, :count) n
"""
NEW = """
    select l.index, e.request_id from log_entry l join event e on e.id = l.event_id where l.index > :after order by 1
"""


class Watch:
    """When each write was answered, placed and covered by a signed head, by its request id."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.answered: dict[str, float] = {}
        self.placed: dict[str, float] = {}
        self.covered: dict[str, float] = {}
        self.refused = 0

    async def write(self, agency: Agency, number: int, crowd: asyncio.Semaphore) -> None:
        async with crowd:
            answer = await agency.post("/v1/tasks", task(title=f"Sosialisasi {number}"))
        if answer.status_code == 201:
            self.answered[answer.headers["request-id"]] = time.perf_counter()
        else:
            self.refused += 1

    async def look(self) -> None:
        """Look at the log every few milliseconds."""
        async with self.database.working() as reader:
            after = await value(reader, "select coalesce(max(index), 0) from log_entry")
        open_ones: dict[str, int] = {}
        while True:
            async with self.database.working() as reader:
                found = await rows(reader, NEW, after=after)
                signed = await value(reader, "select coalesce(max(size), 0) from log_head")
            now = time.perf_counter()
            for one in found:
                self.placed.setdefault(one["request_id"], now)
                open_ones[one["request_id"]] = after = one["index"]
            for name in [name for name, index in open_ones.items() if index <= signed]:
                self.covered[name] = now
                del open_ones[name]
            await asyncio.sleep(0.005)

    def lags(self, seen: dict[str, float]) -> str:
        found = [max(0.0, seen[name] - at) * 1000 for name, at in self.answered.items() if name in seen]
        cut = statistics.quantiles(found, n=100)
        shown = f"p50 {cut[49]:.0f} ms, p95 {cut[94]:.0f} ms, p99 {cut[98]:.0f} ms, most {max(found):.0f} ms"
        return f"{shown} ({len(found)} writes, {self.refused} refused)"


async def steady(database: Database, agency: Agency) -> Watch:
    """Log tasks at a steady rate."""
    watch, crowd = Watch(database), asyncio.Semaphore(CROWD)
    looking = asyncio.create_task(watch.look())
    began = time.perf_counter()
    async with asyncio.TaskGroup() as writing:
        for number in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            writing.create_task(watch.write(agency, number, crowd))
    await asyncio.sleep(3)
    looking.cancel()
    return watch


async def idle(database: Database) -> float:
    """Milliseconds of an idle round."""
    began, times = time.perf_counter(), 300
    for _ in range(times):
        await worker.sequence(database)
    return (time.perf_counter() - began) / times * 1000


async def enter(database: Database, count: int) -> None:
    """Facts entered past the service, each as if in a transaction of its own."""
    async with database.working() as writer:
        await execute(writer, "set local statement_timeout = 0")
        await writer.execute(text(BULK), {"count": count})
        await execute(writer, "update unsequenced set transaction = number")


async def catch_up(database: Database) -> float:
    """Place all that waits; the longest round in milliseconds."""
    longest, more = 0.0, True
    while more:
        began = time.perf_counter()
        more = await worker.sequence(database)
        longest = max(longest, (time.perf_counter() - began) * 1000)
    return longest


async def single(database: Database) -> float:
    """Milliseconds of a round that places one fact and signs a head, the median of some."""
    took = []
    for _ in range(40):
        await enter(database, 1)
        began = time.perf_counter()
        async with database.working() as writer:
            await sequencer.sequence(writer, head_every=0)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def bytes_of_a_head(database: Database) -> float:
    engine = create_async_engine(database.engine.url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("vacuum analyze log_head"))
        size = text("select pg_total_relation_size('log_head')::float8 / count(*) from log_head")
        found = float(await connection.scalar(size) or 0)
    await engine.dispose()
    return found


async def measure(url: str, settings: Settings, say: Any) -> None:
    await start.migrate(url)
    database = Database(url, settings)
    await start.load(database, Console(quiet=True), with_register=True)
    await start.signing_ring(database, database.keys, settings.var / "keys")
    clients = await start.first_clients(database, database.keys, settings.var)
    found = next(one for one in clients if one["agency"] == "BAKESBANGPOL_KOTA_MALANG")
    with running(url, settings) as served:
        async with httpx.AsyncClient(base_url=served.address, timeout=30) as http:
            watch = await steady(database, await Agency(http, found).sign_in())
    say(f"{RATE} writes a second for {SECONDS} s, from the answer to a place: {watch.lags(watch.placed)}")
    say(f"{RATE} writes a second for {SECONDS} s, from the answer to a signed head: {watch.lags(watch.covered)}")
    await catch_up(database)
    say(f"a small log: idle round {await idle(database):.2f} ms, one fact and a head {await single(database):.2f} ms")
    await enter(database, BACKLOG)
    began = time.perf_counter()
    longest = await catch_up(database)
    speed = BACKLOG / (time.perf_counter() - began)
    say(f"a backlog of {BACKLOG:,}: {speed:,.0f} entries a second, the longest round {longest:.0f} ms")
    await enter(database, ENTRIES)
    await catch_up(database)
    rounds = f"idle round {await idle(database):.2f} ms, one fact and a head {await single(database):.2f} ms"
    say(f"a log of {BACKLOG + ENTRIES:,} more: {rounds}")
    size = await bytes_of_a_head(database)
    say(f"a signed head: {size:.0f} bytes; two a second, the most there are: {size * 2 * 86_400 / 1e6:.0f} MB a day")
    await database.close()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="simpul-bench-"))
    folder.chmod(0o755)
    (folder / "var").mkdir()
    try:
        with embedded.serve(folder / "postgres") as cluster:
            asyncio.run(measure(cluster.url, Settings(var=folder / "var"), Console(highlight=False, width=200).print))
        shutil.rmtree(cluster.home, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
