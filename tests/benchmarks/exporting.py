"""What the follow-up matrix costs as a file: memory of the server, time to the first byte, rows a second.

`make bench ONE=exporting` runs it: a throwaway PostgreSQL, a nation of tasks that one agency all reads
(SIMPUL_BENCH_ROWS, 100,000), `simpul serve` with its worker, and each file asked for over loopback, the smallest first.
Of the memory it prints what the process held before and the most it held while it wrote. Figures are for people;
nothing here is a test.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self
from zipfile import ZipFile

import httpx
from nation import settle
from rich.console import Console
from rich.table import Table
from running import Running, resident, running, spent, token
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded, start
from app.matrix import CSV, NDJSON, XLSX
from app.settings import Settings

ROWS = int(os.environ.get("SIMPUL_BENCH_ROWS", "100000"))
#: All of them whole, with a description such as people write.
_OPEN = """
update task set classification = 'terbuka',
    description = repeat('Rapat menyepakati pengawasan bersama di lapangan. ', 6),
    readers = array[logged_by, '*'] || array(select 'region:' || p from unnest(region_path || ''::text) p),
    summary_readers = '{}' where reference like 'NAT-%'
"""
_GIN = "select indexname, indexdef from pg_indexes where tablename = 'task' and indexdef like '%USING gin%'"
_READER = "KPU_RI"


class Watch(threading.Thread):
    """The most memory that a process held while the block lasted, MiB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over = pid, threading.Event()
        self.most = 0.0

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, resident(self._pid))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


async def fetch(served: Running, bearer: str, kind: str, path: Path) -> tuple[float, float, int]:
    """Write a file, as a browser does: seconds until its first byte and its last, and how many bytes there were."""
    headers = {"Authorization": f"Bearer {bearer}", "Accept": kind}
    began, first, size = time.perf_counter(), 0.0, 0
    async with (
        httpx.AsyncClient(base_url=served.address, timeout=120) as http,
        http.stream("GET", "/v1/tasks", headers=headers) as answer,
    ):
        answer.raise_for_status()
        with path.open("wb") as file:
            async for chunk in answer.aiter_raw():
                first = first or time.perf_counter() - began
                size += len(chunk)
                file.write(chunk)
    return first, time.perf_counter() - began, size


def rows_of(path: Path, kind: str) -> int:
    """How many tasks a file holds, counted without a library that would keep them."""
    if kind == XLSX:
        with ZipFile(path) as archive, archive.open("xl/worksheets/sheet1.xml") as sheet:
            count, last = 0, b""
            while chunk := sheet.read(2**20):
                count += (last + chunk).count(b"<row ")
                last = chunk[-4:]  # shorter than what is counted, so nothing is counted twice
            return count - 3
    return path.read_bytes().count(b"\n") - (kind == CSV)


async def measure(served: Running, kept: list[dict[str, Any]], folder: Path, console: Console) -> None:
    """Ask for each kind of file, and print what it took."""
    table = Table(
        "file", "tasks", "size, MB", "first byte, s", "all, s", "tasks/s", "CPU, s", "memory before, MiB", "most, MiB"
    )
    async with httpx.AsyncClient(base_url=served.address, timeout=60) as http:
        operator = await token(http, next(one for one in kept if one["role"] == "operator"))
        body = {"agency": _READER, "role": "viewer", "purpose": "Matriks"}
        headers = {"Authorization": f"Bearer {operator}", "Idempotency-Key": "matriks"}
        made = (await http.post("/v1/clients", json=body, headers=headers)).raise_for_status().json()
        for kind in (NDJSON, CSV, XLSX):
            bearer = await token(http, made)
            before, used = resident(served.process.pid), spent(served.process.pid)
            with Watch(served.process.pid) as watch:
                first, lasted, size = await fetch(served, bearer, kind, folder / "file")
            found = rows_of(folder / "file", kind)
            cells = (f"{found:,}", f"{size / 1e6:,.1f}", f"{first:.2f}", f"{lasted:.1f}", f"{found / lasted:,.0f}")
            table.add_row(
                kind.rpartition(".")[2],
                *cells,
                f"{spent(served.process.pid) - used:.1f}",
                f"{before:.0f}",
                f"{watch.most:.0f}",
            )
            if kept_at := os.environ.get("SIMPUL_BENCH_KEEP"):
                (folder / "file").rename(Path(kept_at) / f"matrix.{kind.rpartition('.')[2].rpartition('/')[2]}")
    console.print(table)


async def prepare(url: str) -> None:
    """Write the tasks."""
    await settle(url, count=ROWS)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        # every row is written anew: the indexes of words are made once, and not row by row
        indexes = (await connection.execute(text(_GIN))).all()
        for name, _ in indexes:
            await connection.execute(text(f"drop index {name}"))
        await connection.execute(text("alter table task disable trigger user"))
        await connection.execute(text(_OPEN))
        await connection.execute(text("alter table task enable trigger user"))
        for _, made in indexes:
            await connection.execute(text(made))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("vacuum analyze task"))
    await engine.dispose()


def main() -> None:
    """Start everything, ask for the files, stop everything."""
    console = Console(width=130, highlight=False)
    with tempfile.TemporaryDirectory(prefix="simpul-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(var=Path(folder, "var"))
        with (
            embedded.serve(Path(folder, "postgres"), durable=False) as cluster,
            running(cluster.url, settings, more={"SIMPUL_REGISTER_ON_START": "false"}) as served,
        ):
            asyncio.run(prepare(cluster.url))
            kept = json.loads((settings.var / start.CREDENTIALS).read_text())
            asyncio.run(measure(served, kept, Path(folder), console))


if __name__ == "__main__":
    main()
