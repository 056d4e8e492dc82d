"""One event to many listeners, from a process of its own: streams are open, a task is logged, all are to hear of it.

A turn lasts until the last has heard; one line of JSON tells what it measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx
from benchmarks.contest.load import percentiles
from benchmarks.listening import caught_up, hear
from listener import Listening

BODY = {
    "title": "Dengarkan",
    "description": "-",
    "category": "asn_neutrality",
    "function": "prevention",
    "region": "35.73",
    "classification": "terbuka",
}


async def run(told: dict[str, Any]) -> dict[str, float]:
    """Open the streams, and tell them of one task after the other for some seconds."""
    bearer, taken = told["token"].removeprefix("Bearer "), []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told['port']}", timeout=60) as http:
        end = await caught_up(http, bearer)
        streams = [await Listening.to(told["port"], bearer, last=end) for _ in range(told["listeners"])]
        began = time.perf_counter()
        while time.perf_counter() < began + told["seconds"]:
            hearing = [asyncio.create_task(hear(one)) for one in streams]
            key = f"fanout-{time.time_ns()}"
            since = time.perf_counter()
            logged = await http.post(
                "/v1/tasks", json=BODY, headers={"Authorization": told["token"], "Idempotency-Key": key}
            )
            logged.raise_for_status()
            heard = await asyncio.wait_for(asyncio.gather(*hearing), 30)
            taken.append(max(heard) - since)
        seconds = time.perf_counter() - began
        for one in streams:
            one.close()
    return percentiles(taken, seconds)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))  # noqa: T201
