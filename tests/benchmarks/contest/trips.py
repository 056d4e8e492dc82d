"""Referrals there and back, from a process of its own: each line takes one task, reads it, refers it, has it accepted.

Two agencies hand the tasks to one another, as the law gives each its function. One line of JSON tells what it measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from uuid import uuid4

from benchmarks.access import Line
from benchmarks.contest.load import PATIENCE, percentiles

SENDS = {
    "BKPSDM_KOTA_MALANG": {"to_agency": "BAWASLU_KOTA_MALANG", "function": "monitoring"},
    "BAWASLU_KOTA_MALANG": {"to_agency": "BKPSDM_KOTA_MALANG", "function": "prevention"},
}


async def post(line: Line, path: str, token: str, body: dict[str, Any], etag: str) -> dict[str, Any]:
    """Write, and read the whole answer; raises RuntimeError when it is refused."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: simpul\r\nAuthorization: {token}\r\nIdempotency-Key: {uuid4()}\r\n"
    head += f"If-Match: {etag}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    line.writer.write(head.encode() + content)
    said = (await line.reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(one.split(b":")[1]) for one in said.split(b"\r\n") if one.startswith(b"content-length:"))
    answer = await line.reader.readexactly(length)
    if int(said.split()[1]) not in {200, 201}:
        raise RuntimeError(answer)
    return dict(json.loads(answer))


async def trip(line: Line, tokens: dict[str, str], task: str, owner: str) -> str:
    """One round trip; returns whose the task is now."""
    _, found = await line.ask(f"/v1/tasks/{task}", tokens[owner].removeprefix("Bearer "))
    sends = SENDS[owner]
    version = json.loads(found)["version"]
    sent = await post(line, f"/v1/tasks/{task}/referrals", tokens[owner], sends, f'"{version}"')
    receiver = sends["to_agency"]
    path = f"/v1/referrals/{sent['id']}/response"
    await post(line, path, tokens[receiver], {"answer": "accepted"}, f'"{sent["version"]}"')
    return receiver


async def run(told: dict[str, Any]) -> dict[str, float]:
    """Round trips on all lines at once, for some seconds."""
    taken: list[float] = []
    until = time.perf_counter() + told["seconds"]

    async def along(task: str) -> None:
        line = Line(*await asyncio.open_connection("127.0.0.1", told["port"]))
        _, found = await line.ask(f"/v1/tasks/{task}", told["tokens"][next(iter(SENDS))].removeprefix("Bearer "))
        owner = json.loads(found)["accountable"]
        while (began := time.perf_counter()) < until:
            owner = await trip(line, told["tokens"], task, owner)
            taken.append(time.perf_counter() - began)
        line.writer.close()

    began = time.perf_counter()
    async with asyncio.timeout(told["seconds"] + PATIENCE):
        await asyncio.gather(*map(along, told["tasks"]))
    return percentiles(taken, time.perf_counter() - began)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))  # noqa: T201
