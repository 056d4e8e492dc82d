"""What evidence costs: a write with its leaf, seals and receipt, side by side with the same write without them.

`make bench ONE=writing` runs it: a throwaway PostgreSQL that waits for its disk, one real server process on loopback.
Two copies of one database are served, the one as ever; of the other, facts are rows like any other: no leaf, words in
the clear, no queue, no receipt. The two alternate in short blocks over kept connections, so that whatever else the
machine does falls on both. No worker runs: the sequencer's work is nobody's answer. Figures are for people.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from benchmarks.access import Line, bench, ready, token_of
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.types import Receive, Scope, Send

from app import evidence, logs
from app.db import Row, Writer
from app.main import create_app
from app.services import log, sequencer
from app.settings import Settings

BLOCKS, BLOCK, CONNECTIONS, WRITERS, LASTING = int(os.environ.get("SIMPUL_BENCH_BLOCKS", "30")), 60, 4, 16, 3.0
FLOODS = 6
BARE = "/bare"
_bare: ContextVar[bool] = ContextVar("bare", default=False)
TASK = {
    "title": "Bandingkan",
    "description": "Dugaan ketidaknetralan aparatur sipil negara di sebuah kelurahan.",
    "category": "asn_neutrality",
    "function": "prevention",
    "region": "35.73",
}
COMMENT = {"body": "Segera ditindaklanjuti oleh petugas di lapangan."}
Work = Callable[[Line, str, str, str], Coroutine[Any, Any, None]]


def serve(url: str, var: Path, bound: socket.socket) -> None:
    """One server process: our service, and under `/bare` the same over the other database, without evidence."""
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    logs.configure()
    other = asyncio.run(_copy(url))
    _strip()
    settings = Settings(var=var, client_rate="1000000/minute", agency_rate="1000000/minute")
    app, bare = create_app(settings, url), create_app(settings, other)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(BARE):
            _bare.set(True)
            scope = {**scope, "path": path.removeprefix(BARE), "raw_path": path.removeprefix(BARE).encode()}
            await bare(scope, receive, send)
        else:
            await app(scope, receive, send)

    config = uvicorn.Config(both, log_config=None, access_log=False, server_header=False, timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[bound])


async def _copy(url: str) -> str:
    """The same database again, in which facts do not queue."""
    known = make_url(url)
    other = known.set(database="bare").render_as_string(hide_password=False)
    for where, statement in (
        (known.set(database="postgres"), f'create database bare template "{known.database}"'),
        (make_url(other), "alter table event disable trigger queue_event"),
    ):
        engine = create_async_engine(where, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()
    return other


def _strip() -> None:
    """Let what makes evidence do nothing for requests to the other database."""
    document, leaf, seal, receipt = evidence.document, evidence.leaf, log._sealed, sequencer.receipt

    async def sealed(writer: Writer, event: Row, acting_user: str | None, words: dict[str, Any]) -> Row:
        if _bare.get():
            return {"payload": {**event["payload"], **words}}
        return await seal(writer, event, acting_user, words)

    async def promised(writer: Writer, *, request_id: str) -> str | None:
        return None if _bare.get() else await receipt(writer, request_id=request_id)

    evidence.document = lambda event: b"" if _bare.get() else document(event)
    evidence.leaf = lambda document: b"" if _bare.get() else leaf(document)
    log._sealed, sequencer.receipt = sealed, promised


async def post(line: Line, path: str, token: str, body: dict[str, Any], etag: str = "") -> dict[str, Any]:
    """Write, and read the whole answer."""
    content = json.dumps(body).encode()
    head = f"If-Match: {etag}\r\n" if etag else ""
    head += f"Acting-User: staf-{token[-2:]}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {uuid4()}\r\n"
    line.writer.write(
        f"POST {path} HTTP/1.1\r\nHost: simpul\r\n{head}"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    said = (await line.reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(one.split(b":")[1]) for one in said.split(b"\r\n") if one.startswith(b"content-length:"))
    answer = await line.reader.readexactly(length)
    if int(said.split()[1]) not in {200, 201} or (b"audit-receipt" in said) == path.startswith(BARE):
        raise RuntimeError(said + answer)
    return dict(json.loads(answer))


async def comment(line: Line, door: str, token: str, task: str) -> None:
    """One fact with words in it."""
    await post(line, f"{door}/v1/tasks/{task}/comments", token, COMMENT)


async def log_and_cancel(line: Line, door: str, token: str, _: str) -> None:
    """Two writes, of two facts and of one or two."""
    task = await post(line, f"{door}/v1/tasks", token, TASK)
    said = {"action": "cancel", "reason": "Salah catat"}
    await post(line, f"{door}/v1/tasks/{task['id']}/transitions", token, said, f'"{task["version"]}"')


async def compare(port: int, kept: list[dict[str, Any]], console: Console) -> None:
    """Write, and print what it took."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        await ready(http)
        token = await token_of(http, kept[0])
    lines = [Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(WRITERS)]
    tasks = {
        door: [str((await post(line, f"{door}/v1/tasks", token, TASK))["id"]) for line in lines] for door in ("", BARE)
    }

    async def block(work: Work, door: str) -> float:
        """Milliseconds that a unit of work takes while a few connections write at once."""
        began = time.perf_counter()
        await asyncio.gather(
            *(_repeat(work, line, door, token, tasks[door][n]) for n, line in enumerate(lines[:CONNECTIONS]))
        )
        return (time.perf_counter() - began) * 1000 / BLOCK

    table = Table("write", "with, ms", "without, ms", "ratio", "quartiles", title=f"{BLOCKS} blocks of {BLOCK} writes")
    for name, work in (("comment", comment), ("log a task and cancel it", log_and_cancel)):
        taken: dict[str, list[float]] = {"": [], BARE: []}
        for round_ in range(BLOCKS + 2):
            for door in ("", BARE) if round_ % 2 else (BARE, ""):
                lasted = await block(work, door)
                if round_ >= 2:
                    taken[door].append(lasted)
        ratios = [one / other for one, other in zip(taken[""], taken[BARE], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        medians = [f"{statistics.median(taken[door]):.2f}" for door in ("", BARE)]
        table.add_row(name, *medians, f"{middle:.2f}", f"{low:.2f} .. {high:.2f}")
    console.print(table)
    written: dict[str, list[float]] = {"": [], BARE: []}
    for round_ in range(FLOODS):
        for door in ("", BARE) if round_ % 2 else (BARE, ""):
            written[door].append(await _flood(line_up(lines, door, token, tasks[door])))
    with_, without = (statistics.median(written[door]) for door in ("", BARE))
    ratio = statistics.median(bare / full for full, bare in zip(written[""], written[BARE], strict=True))
    console.print(f"{WRITERS} writers: {with_:.0f} comments a second with evidence, {without:.0f} without: {ratio:.2f}")
    for line in lines:
        line.writer.close()


async def _repeat(work: Work, line: Line, door: str, token: str, task: str) -> None:
    for _ in range(BLOCK // CONNECTIONS):
        await work(line, door, token, task)


def line_up(
    lines: list[Line], door: str, token: str, tasks: list[str]
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """What each writer does again and again."""
    return [partial(comment, line, door, token, task) for line, task in zip(lines, tasks, strict=True)]


async def _flood(writers: list[Callable[[], Coroutine[Any, Any, None]]]) -> float:
    """Writes a second while all writers write for some seconds."""
    until = time.perf_counter() + LASTING

    async def write(once: Callable[[], Coroutine[Any, Any, None]]) -> int:
        count = 0
        while time.perf_counter() < until:
            await once()
            count += 1
        return count

    return sum(await asyncio.gather(*map(write, writers))) / LASTING


if __name__ == "__main__":
    bench(compare, served=serve, durable=True)
