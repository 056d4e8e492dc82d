"""`simpul log export`: the log written to files, for whoever verifies it without us."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import Progress

from app import log_files
from app.db import Database, Row, encode
from app.services import log_export
from app.terminal import chosen_settings, console, fail, own_database


def export_log(folder: Annotated[Path, typer.Argument(help="Where to write it; must not be there yet.")]) -> None:
    """Write the whole log, up to its newest head, to files that `simpul log verify` reads.

    What people wrote and who acted stand in it as commitments only.
    """
    chosen = chosen_settings()

    async def run(url: str) -> int:
        database = Database(url, chosen)
        try:
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("Entries", total=None)
                return await write(database, folder, lambda done, size: bar.update(task, completed=done, total=size))
        finally:
            await database.close()

    try:
        folder.mkdir(mode=0o700, parents=True)
        with own_database(chosen) as url:
            size = asyncio.run(run(url))
    except FileExistsError:
        fail(f"{folder} is there already: an export overwrites nothing.")
    except OSError as error:
        fail(f"{folder} can't be written: {error.strerror}.")
    console.print(f"Wrote {size:,} entries to {folder}.", markup=False)


async def write(database: Database, folder: Path, advance: Callable[[int, int], object]) -> int:
    """Write the files of an export into an empty folder; returns how many entries.

    `advance` hears now and then how many are written of how many.
    """
    size = await log_export.extent(database.working)
    done = 0
    with _new(folder / log_files.ENTRIES) as file:
        async for some in log_export.entries(database.working, size=size):
            _write(file, some)
            done += len(some)
            advance(done, size)
    await _copy(folder / log_files.HEADS, log_export.heads(database.working, size=size))
    await _copy(folder / log_files.COSIGNATURES, log_export.cosignatures(database.working, size=size))
    with _new(folder / log_files.KEYS) as file:
        file.write(encode(await log_export.keys(database.working)))
    return done


async def _copy(path: Path, found: AsyncIterator[list[Row]]) -> None:
    with _new(path) as file:
        async for some in found:
            _write(file, some)


def _write(file: BinaryIO, lines: list[Row]) -> None:
    file.write(b"".join(encode(line) + b"\n" for line in lines))


def _new(path: Path) -> BinaryIO:
    """A file that was not there, for its owner only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
