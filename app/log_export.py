"""`simpul log export`: the log written to files, for whoever verifies it without us."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app import log_files
from app.break_glass import on_database
from app.db import Database, Row, encode
from app.services import log_export
from app.terminal import console, fail


def export_log(
    folder: Annotated[Path, typer.Argument(help="Where to write it; must not be there yet.")],
    *,
    sealed: Annotated[bool, typer.Option("--sealed", help="Add what people wrote and who acted, sealed.")] = False,
) -> None:
    """Write the whole log, up to its newest head, to files that `simpul log verify` reads.

    What people wrote and who acted stand in it as commitments only; with --sealed also as the database keeps them, to
    be opened by nobody without its keys. Before a year is retired it must have left in this way.
    """

    async def export(database: Database) -> int:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Entries", total=None)
            size = await write(database, folder, lambda done, size: bar.update(task, completed=done, total=size))
        if sealed:
            await write_sealed(database, folder, size)
        return size

    if folder.exists():
        fail(f"{folder} is there already: an export overwrites nothing.")
    try:
        size = on_database(export)
    except Unwritable as error:
        fail(str(error))
    console.print(f"Wrote {size:,} entries to {folder}.", markup=False)


class Unwritable(Exception):
    """A file of the export can't be written; the text is a sentence that names it."""


async def write(database: Database, folder: Path, advance: Callable[[int, int], object]) -> int:
    """Write the files of an export into a new folder; returns how many entries. Raises Unwritable.

    `advance` hears now and then how many are written of how many.
    """
    size = await log_export.extent(database.working)
    _make(folder)
    done = 0
    with _new(folder / log_files.ENTRIES) as add:
        async for some in log_export.entries(database.working, size=size):
            add(some)
            done += len(some)
            advance(done, size)
    await _copy(folder / log_files.HEADS, log_export.heads(database.working, size=size))
    await _copy(folder / log_files.COSIGNATURES, log_export.cosignatures(database.working, size=size))
    with _new(folder / log_files.KEYS) as add:
        add([await log_export.keys(database.working)])
    return done


async def write_sealed(database: Database, folder: Path, size: int) -> None:
    """Add to an export of `size` entries what is sealed beside them; raises Unwritable."""
    await _copy(folder / log_files.SEALED, log_export.sealed(database.working, size=size))


async def _copy(path: Path, found: AsyncIterator[list[Row]]) -> None:
    with _new(path) as add:
        async for some in found:
            add(some)


def _make(folder: Path) -> None:
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True)


@contextmanager
def _new(path: Path) -> Iterator[Callable[[list[Row]], None]]:
    """A file that was not there, for its owner only; what it yields adds lines to it."""
    with _writing(path):
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    def add(lines: list[Row]) -> None:
        with _writing(path):
            file.write(b"".join(encode(line) + b"\n" for line in lines))

    with file:
        yield add


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritable(f"{path} can't be written: {error.strerror}.") from error
