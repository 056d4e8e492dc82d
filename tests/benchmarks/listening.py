"""What listening costs: the memory of a listener that hears nothing, and the time until all have heard one event.

`make bench ONE=listening` runs it: a throwaway PostgreSQL, `simpul serve` with its worker, and streams over loopback.
Figures are for people; nothing here is a test.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from listener import Listening
from rich.console import Console
from running import Running, resident, running, spent, token

from app import embedded, start
from app.settings import Settings

LISTENERS = int(os.environ.get("SIMPUL_BENCH_LISTENERS", "2000"))
#: How many tokens they share; 0: one of each agency's.
TOKENS = int(os.environ.get("SIMPUL_BENCH_TOKENS", "0"))
ROUNDS = 3
_MORE = {
    "SIMPUL_CLIENT_STREAMS": "5000",
    "SIMPUL_AGENCY_STREAMS": "5000",
    "SIMPUL_REGISTER_ON_START": "false",
    "SIMPUL_STREAM_HEARTBEAT": "5",
}


async def listen(served: Running, kept: list[dict[str, Any]], console: Console) -> None:
    """Open the streams, wait, let one event happen, and print what it took."""
    async with httpx.AsyncClient(base_url=served.address, timeout=60) as http:
        supervisors = [one for one in kept if one["role"] == "supervisor"]
        asked = [supervisors[place % len(supervisors)] for place in range(TOKENS or len(supervisors))]
        tokens = [await token(http, one) for one in asked]
        await asyncio.sleep(2)  # what the start brought about finds its place in the log
        end = await caught_up(http, tokens[0])
        before = resident(served.process.pid)
        began = time.perf_counter()
        streams = [await Listening.to(served.port, tokens[place % len(tokens)], last=end) for place in range(LISTENERS)]
        opened = time.perf_counter() - began
        hearing = [asyncio.create_task(hear(one)) for one in streams]
        await asyncio.sleep(12)
        idle, used, slept = resident(served.process.pid), spent(served.process.pid), time.perf_counter()
        await asyncio.sleep(10)
        busy = (spent(served.process.pid) - used) / (time.perf_counter() - slept)
        each = (idle - before) * 1024 / LISTENERS
        console.print(
            f"{LISTENERS:,} listeners with {len(tokens):,} tokens: opened in {opened:.1f} s, {each:.0f} KiB each"
            f" ({before:.0f} -> {idle:.0f} MiB), {busy:.0%} of a core while nothing happens"
        )
        for round_ in range(ROUNDS):
            await tell(
                http, await token(http, kept[0]), hearing, console, classification=("terbuka", "terbatas")[round_ % 2]
            )
            hearing = [asyncio.create_task(hear(one)) for one in streams]
        for one in hearing:
            one.cancel()
        for stream in streams:
            stream.close()


async def caught_up(http: httpx.AsyncClient, bearer: str) -> int:
    """The end of the log."""
    headers = {"Authorization": f"Bearer {bearer}"}
    after = int((await http.get("/v1/log/head", headers=headers)).json()["size"]) - 1
    while True:
        found = (await http.get("/v1/events", params={"after": after, "limit": 200}, headers=headers)).json()
        if found["after"] == after:
            return after
        after = int(found["after"])


async def hear(stream: Listening) -> float:
    """When the next task was heard of."""
    while (frame := await stream.frame()) is not None:
        if frame.event == "task.logged":
            return time.perf_counter()
    raise RuntimeError("a stream ended")


async def tell(
    http: httpx.AsyncClient, bearer: str, hearing: list[asyncio.Task[float]], console: Console, *, classification: str
) -> None:
    """Log a task, and wait until all heard of it whom it concerns."""
    body = {
        "title": "Dengarkan",
        "description": "-",
        "category": "asn_neutrality",
        "function": "prevention",
        "region": "35.73",
        "classification": classification,
    }
    headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": str(uuid4())}
    began = time.perf_counter()
    (await http.post("/v1/tasks", json=body, headers=headers)).raise_for_status()
    done, _ = await asyncio.wait(hearing, timeout=15)
    lasted = sorted(one.result() - began for one in done)
    for one in hearing:
        one.cancel()
    if not lasted:
        raise RuntimeError("nobody heard")
    console.print(
        f"{classification}: {len(lasted):,} heard, the first after {lasted[0]:.2f} s, half after"
        f" {statistics.median(lasted):.2f} s, all after {lasted[-1]:.2f} s"
    )
    await asyncio.sleep(2)


def main() -> None:
    """Start everything, listen, stop everything."""
    console = Console(width=110, highlight=False)
    with tempfile.TemporaryDirectory(prefix="simpul-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(var=Path(folder, "var"))
        with (
            embedded.serve(Path(folder, "postgres"), durable=False) as cluster,
            running(cluster.url, settings, more=_MORE) as served,
        ):
            kept = json.loads((settings.var / start.CREDENTIALS).read_text())
            asyncio.run(listen(served, kept, console))


if __name__ == "__main__":
    main()
