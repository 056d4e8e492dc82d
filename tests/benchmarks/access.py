"""What access costs: a single-task read through every wall, side by side with the same read without them.

`make bench ONE=access` runs it: a throwaway PostgreSQL, a nation of tasks, one real server process on loopback; the two
reads alternate in short blocks over kept connections, so that whatever else the machine does falls on both. It prints
medians and their ratio, and the medians of hidden against absent. Nothing here is a test: figures are for people.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from nation import founded
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from app import answers, embedded, logs
from app.db import Database, Reader
from app.main import create_app
from app.rules.caller import Caller
from app.rules.vocabulary import Role
from app.services import callers, moves, task_rows
from app.settings import Settings

TASKS = int(os.environ.get("SIMPUL_BENCH_TASKS", "20000"))
BLOCKS, BLOCK, CONNECTIONS, PAIRS = 30, 200, 4, 500


def serve(url: str, var: Path, bound: socket.socket) -> None:
    """One server process: our service, and beside it the same read without token, revocation or row security."""
    for stream in (1, 2):  # the access log is written as ever, and nobody reads it here
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    logs.configure()
    settings = Settings(var=var, client_rate="1000000/minute", agency_rate="1000000/minute")
    app = create_app(settings, url)
    bare(app, url, settings)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[bound])


def bare(app: FastAPI, url: str, settings: Settings) -> None:
    """`/bare/{id}` runs the handler of `GET /v1/tasks/{id}` as the role that sees all, for a known caller."""
    database = Database(url, settings)
    sight = {"role": "simpul_worker", "app.sight": "*", "app.own_sight": "*", "app.cleared": "true", "jit": "off"}
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    lines: list[asyncpg.Connection] = []
    known: list[Caller] = []

    @app.get("/bare/{id}")
    async def show(request: Request, id: UUID) -> Response:
        if not known:
            async with database.working() as worker:
                known.append(replace(await callers.caller_of(worker, "KPU_KOTA_MALANG"), role=Role.SUPERVISOR))
        line = lines.pop() if lines else await asyncpg.connect(address, server_settings=sight)
        await line.set_type_codec("jsonb", encoder=str, decoder=orjson.loads, schema="pg_catalog")
        task = await task_rows.load_task(Reader(line, {"database": database}, None), known[0], id)
        lines.append(line)
        return answers.read(request, moves.shown(known[0], task), version=task["version"])


@dataclass
class Line:
    """One kept connection that asks and reads whole answers."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, path: str, token: str) -> tuple[int, bytes]:
        """Status and body."""
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: simpul\r\nAuthorization: Bearer {token}\r\nRequest-Id: same\r\n\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length:"))
        return int(lines[0].split()[1]), await self.reader.readexactly(length)


async def block(lines: list[Line], path: str, token: str) -> float:
    """Milliseconds a request takes while all connections ask at once."""
    began = time.perf_counter()
    await asyncio.gather(*(_asked(line, path, token) for line in lines))
    return (time.perf_counter() - began) * 1000 / BLOCK


async def _asked(line: Line, path: str, token: str) -> None:
    for _ in range(BLOCK // CONNECTIONS):
        status, body = await line.ask(path, token)
        if status != 200:
            raise RuntimeError(body)


async def compare(port: int, kept: list[dict[str, Any]], console: Console) -> None:
    """Ask, and print what it took."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        await ready(http)
        kpu, kodim = await token_of(http, kept[0]), await token_of(http, kept[3])
        body = {
            "title": "Bandingkan",
            "description": "-",
            "category": "asn_neutrality",
            "function": "prevention",
            "region": "35.73",
        }
        task = await _log(http, kpu, body)
        hidden = await _log(http, kpu, {**body, "classification": "rahasia"})
    lines = [Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    ours, without = f"/v1/tasks/{task}", f"/bare/{task}"
    same = [(await lines[0].ask(path, kpu))[1] for path in (ours, without)]
    if same[0] != same[1]:
        raise RuntimeError(f"the two reads differ: {same}")
    taken: dict[str, list[float]] = {ours: [], without: []}
    for round_ in range(BLOCKS + 2):
        for path in (ours, without) if round_ % 2 else (without, ours):
            lasted = await block(lines, path, kpu)
            if round_ >= 2:
                taken[path].append(lasted)
    pairs = await _pairs(lines[0], kodim, hidden)
    for line in lines:
        line.writer.close()
    _report(console, taken[ours], taken[without], pairs)


async def _pairs(line: Line, token: str, hidden: str) -> tuple[list[float], list[float]]:
    """Milliseconds of a hidden and of an absent task, asked in turns."""
    lasted: tuple[list[float], list[float]] = [], []
    for number in range(PAIRS):
        for place in (0, 1) if number % 2 else (1, 0):
            path = f"/v1/tasks/{uuid4() if place else hidden}"
            began = time.perf_counter()
            status, _ = await line.ask(path, token)
            lasted[place].append((time.perf_counter() - began) * 1000)
            if status != 404:
                raise RuntimeError(path)
    return lasted


def _report(console: Console, ours: list[float], without: list[float], pairs: tuple[list[float], list[float]]) -> None:
    table = Table(
        "read", "median ms", "quartiles", title=f"{TASKS:,} tasks, {CONNECTIONS} connections, {BLOCKS} blocks"
    )
    for name, found in (
        ("every wall", ours),
        ("no token, no revocation, no row security", without),
        ("hidden", pairs[0]),
        ("absent", pairs[1]),
    ):
        low, middle, high = statistics.quantiles(found, n=4)
        table.add_row(name, f"{middle:.3f}", f"{low:.3f} .. {high:.3f}")
    console.print(table)
    each = sorted(a / b for a, b in zip(ours, without, strict=True))
    low, middle, high = statistics.quantiles(each, n=4)
    console.print(f"ratio of the walls: {middle:.2f} ({low:.2f} .. {high:.2f}, block by block)")
    console.print(f"hidden to absent: {statistics.median(pairs[0]) / statistics.median(pairs[1]):.3f} ({PAIRS} pairs)")


async def ready(http: httpx.AsyncClient) -> None:
    for _ in range(200):
        try:
            if (await http.get("/livez")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the server did not come up")


async def token_of(http: httpx.AsyncClient, one: dict[str, Any]) -> str:
    form = {"grant_type": "client_credentials", "client_id": one["client_id"], "client_secret": one["client_secret"]}
    return str((await http.post("/oauth2/token", data=form)).json()["access_token"])


async def _log(http: httpx.AsyncClient, token: str, body: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
    answer = await http.post("/v1/tasks", json=body, headers=headers)
    answer.raise_for_status()
    return str(answer.json()["id"])


def bench(
    run: Callable[[int, list[dict[str, Any]], Console], Coroutine[Any, Any, None]],
    *,
    served: Callable[[str, Path, socket.socket], None] = serve,
    durable: bool = False,
) -> None:
    """Start everything, run, stop everything."""
    console = Console(width=110, highlight=False)
    with tempfile.TemporaryDirectory(prefix="simpul-bench-") as folder:
        Path(folder).chmod(0o755)
        var = Path(folder, "var")
        var.mkdir()
        with embedded.serve(Path(folder, "postgres"), durable=durable) as cluster:
            kept = asyncio.run(founded(cluster.url, var, count=TASKS))
            bound = socket.create_server(("127.0.0.1", 0))
            child = multiprocessing.get_context("spawn").Process(
                target=served, args=(cluster.url, var, bound), daemon=True
            )
            child.start()
            try:
                asyncio.run(run(bound.getsockname()[1], kept, console))
            finally:
                child.terminate()
                child.join(10)
                bound.close()


if __name__ == "__main__":
    bench(compare)
