"""The load, from a process of its own over kept connections: wrk where it is installed, else one of ours.

Both replay whole requests from a file, each after a line with its length, for some seconds; what they measured comes
back as one line of JSON: requests, seconds, bytes, refused (status above 399), broken, percentiles in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("replay.lua")
WRK = shutil.which("wrk")
PATIENCE = 600  # seconds that requests on their way may take beyond the block
OURS = "benchmarks.contest.load"
GENERATOR = "wrk" if WRK else OURS


@dataclass(frozen=True)
class Asked:
    """A request."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""

    def whole(self) -> bytes:
        """As it goes over the line."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {content}" for name, content in self.headers.items()]
        if self.method != "GET":
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Exhausted(RuntimeError):
    """A block of writes went through all its requests: what came after would have been replayed."""


def replay(
    port: int,
    asked: Sequence[Asked],
    *,
    connections: int,
    seconds: float,
    once: bool = False,
    generator: str = GENERATOR,
) -> dict[str, float]:
    """Put these requests to a port, in turns, and none of them twice where `once`. Raises Exhausted.

    wrk leaves when the time is over and counts what was answered; ours waits for what is on its way.
    """
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        for one in asked:
            whole = one.whole()
            file.write(b"%d\n%s" % (len(whole), whole))
        file.flush()
        turns = "once" if once else "again"
        if generator == "wrk" and WRK:
            command = [WRK, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
            command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", file.name, turns]
        else:
            command = [sys.executable, "-m", OURS, file.name, turns]
            command += [str(port), str(connections), str(seconds)]
        done = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            timeout=seconds + PATIENCE,
            env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"},
        )
    found: dict[str, float] = json.loads(done.stdout.decode().splitlines()[-1])
    if once and found["requests"] + connections >= len(asked):
        raise Exhausted(f"{len(asked)} requests were too few for {seconds} s")
    return found


class _Player:
    """Our own generator: as many connections as asked, each with one request on its way."""

    def __init__(self, asked: list[bytes], port: int) -> None:
        self.asked, self.port, self.place = asked, port, count()
        self.taken: list[float] = []
        self.bytes = self.refused = self.broken = 0

    async def run(self, connections: int, until: float, *, turns: str) -> None:
        """All connections at once."""
        await asyncio.gather(*(self._line(until, turns) for _ in range(connections)))

    async def _line(self, until: float, turns: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        while (began := time.perf_counter()) < until:
            place = next(self.place)
            if place >= len(self.asked) and turns == "once":
                break
            writer.write(self.asked[place % len(self.asked)])
            try:
                status = await self._answer(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.broken += 1
                break
            self.refused += status > 399
            self.taken.append(time.perf_counter() - began)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        self.bytes += len(head) + length
        return int(lines[0].split()[1])


def percentiles(taken: Sequence[float], seconds: float) -> dict[str, float]:
    """What was measured, of the seconds that each request took."""
    ordered = sorted(taken)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else 0.0

    counted = {"requests": len(ordered), "seconds": seconds, "bytes": 0, "refused": 0, "broken": 0}
    return {**counted, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "longest": at(1)}


def _parsed(content: bytes) -> list[bytes]:
    found, place = [], 0
    while place < len(content):
        line = content.index(b"\n", place)
        length = int(content[place:line])
        found.append(content[line + 1 : line + 1 + length])
        place = line + 1 + length
    return found


def main(arguments: list[Any]) -> None:
    """Replay a file: its name, `once` or `again`, port, connections, seconds."""
    file, turns, port, connections, seconds = arguments
    player = _Player(_parsed(Path(file).read_bytes()), int(port))
    began = time.perf_counter()
    asyncio.run(player.run(int(connections), began + float(seconds), turns=turns))
    lost = {"bytes": player.bytes, "refused": player.refused, "broken": player.broken}
    print(json.dumps({**percentiles(player.taken, time.perf_counter() - began), **lost}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
