"""How far the log is behind: from the commit of a fact to its place, and to the signed head over it.

`make bench` runs it: a throwaway PostgreSQL, one `simpul serve` with its worker, writes over HTTP at a steady rate.
Then, without a service: what idle polling costs, a backlog placed, and a round on a log of many entries. Nothing here
is a test: figures are for people.
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

RATE, SECONDS = 50, int(os.environ.get("SIMPUL_BENCH_SECONDS", "30"))
BACKLOG, ENTRIES = (int(os.environ.get(f"SIMPUL_BENCH_{name}", "100000")) for name in ("BACKLOG", "ENTRIES"))
BULK = """
    insert into event (id, kind, object_type, object_id, request_id, effective_at, recorded_at, payload, words, salt, leaf)
    select gen_random_uuid(), 'stage.updated', 'stage', n::text, 'bulk', now(), now(), '{}', '{}', '',
        sha256(n::text::bytea) from generate_series(1, :count) n
"""
#: Of each fact: committed (as its writer's answer came), placed (as a reader saw it), covered by a head.
NEW = """
    select l.index, e.request_id, (select max(size) from log_head) as signed
    from log_entry l join event e on e.id = l.event_id where l.index > :after order by 1
"""


async def steady(database: Database, agency: Agency) -> dict[str, list[float]]:
    """Log tasks at a steady rate, watch the log every few milliseconds; lags in milliseconds."""
    committed: dict[str, float] = {}
    placed: dict[str, float] = {}
    sizes: dict[str, int] = {}
    covered: dict[str, float] = {}
    done = asyncio.Event()
    async with database.working() as reader:
        after = await value(reader, "select coalesce(max(index), 0) from log_entry")

    async def write(number: int) -> None:
        answer = await agency.post("/v1/tasks", task(title=f"Sosialisasi {number}"))
        assert answer.status_code == 201, answer.text
        committed[answer.headers["request-id"]] = time.perf_counter()

    async def watch() -> None:
        nonlocal after
        while not done.is_set() or len(placed.keys() & committed.keys()) < len(committed):
            async with database.working() as reader:
                found = await rows(reader, NEW, after=after)
                signed = await value(reader, "select max(size) from log_head") or 0
            now = time.perf_counter()
            for one in found:
                placed.setdefault(one["request_id"], now)
                sizes[one["request_id"]] = after = one["index"]
            for name in [name for name, size in sizes.items() if size <= signed and name not in covered]:
                covered[name] = now
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    async with asyncio.TaskGroup() as writing:
        for number in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            writing.create_task(write(number))
    done.set()
    await asyncio.sleep(1)
    await watching
    lags = [[(seen[name] - at) * 1000 for name, at in committed.items() if name in seen] for seen in (placed, covered)]
    return {"placed": lags[0], "under a head": lags[1]}


def percentiles(lags: list[float]) -> str:
    cut = statistics.quantiles(lags, n=100)
    return f"p50 {cut[49]:.0f} ms, p95 {cut[94]:.0f} ms, p99 {cut[98]:.0f} ms, most {max(lags):.0f} ms of {len(lags)}"


async def idle(database: Database) -> float:
    """Milliseconds of an idle round."""
    began, times = time.perf_counter(), 300
    for _ in range(times):
        await worker.sequence(database)
    return (time.perf_counter() - began) / times * 1000


async def bulk(database: Database, count: int) -> None:
    async with database.working() as writer:
        await execute(writer, "set local statement_timeout = 0")
        await writer.execute(text(BULK), {"count": count})
        # each its own transaction, as real ones are: whoever enters them in bulk has one number only
        await value(
            writer, "with t as (update unsequenced set transaction = number returning 1) select count(*) from t"
        )


async def backlog(database: Database) -> tuple[float, float]:
    """Entries placed a second, and the longest round in milliseconds."""
    longest, began = 0.0, time.perf_counter()
    while True:
        start = time.perf_counter()
        more = await worker.sequence(database)
        longest = max(longest, (time.perf_counter() - start) * 1000)
        if not more:
            return BACKLOG / (time.perf_counter() - began), longest


async def single(database: Database) -> float:
    """Milliseconds of a round that places one fact, the median of some."""
    took = []
    for _ in range(40):
        async with database.working() as writer:
            await writer.execute(text(BULK), {"count": 1})
        began = time.perf_counter()
        async with database.working() as writer:
            await sequencer.sequence(writer, head_every=0)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def sizes(database: Database) -> list[dict[str, Any]]:
    engine = create_async_engine(database.engine.url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("vacuum analyze log_head"))
    await engine.dispose()
    async with database.working() as reader:
        return await rows(
            reader,
            "select relname as name, pg_total_relation_size(oid) as bytes,"
            " pg_total_relation_size(oid) / greatest(reltuples, 1)::float8 as each from pg_class"
            " where relname = 'log_head'",
        )


async def main() -> None:
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="simpul-bench-"))
    folder.chmod(0o755)
    settings = Settings(var=folder / "var")
    settings.var.mkdir()
    try:
        with embedded.serve(folder / "postgres") as cluster:
            await start.migrate(cluster.url)
            database = Database(cluster.url, settings)
            await start.load(database, Console(quiet=True), with_register=True)
            await start.signing_ring(database, database.keys, settings.var / "keys")
            clients = await start.first_clients(database, database.keys, settings.var)
            found = next(one for one in clients if one["agency"] == "BAKESBANGPOL_KOTA_MALANG")
            with running(cluster.url, settings) as served:
                async with httpx.AsyncClient(base_url=served.address, timeout=30) as http:
                    agency = await Agency(http, found).sign_in()
                    for what, lags in (await steady(database, agency)).items():
                        console.print(
                            f"{RATE} writes a second for {SECONDS} s, from the answer to {what}: {percentiles(lags)}"
                        )
            while await worker.sequence(database):
                pass
            console.print(f"an idle round: {await idle(database):.2f} ms, ten a second")
            console.print(f"a round that places and signs one fact, small log: {await single(database):.2f} ms")
            await bulk(database, BACKLOG)
            speed, longest = await backlog(database)
            console.print(
                f"a backlog of {BACKLOG:,}: {speed:,.0f} entries a second, the longest round {longest:.0f} ms"
            )
            await bulk(database, ENTRIES)
            while await worker.sequence(database):
                pass
            console.print(
                f"a round that places and signs one fact, on {BACKLOG + ENTRIES:,} more entries:"
                f" {await single(database):.2f} ms; an idle one {await idle(database):.2f} ms"
            )
            for one in await sizes(database):
                a_day = one["each"] * 2 * 86_400 / 1e6
                console.print(
                    f"a signed head: {one['each']:.0f} bytes; two a second for a day, the most there are: {a_day:.0f} MB"
                )
            await database.close()
            home = cluster.home
        shutil.rmtree(home, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
