"""From nothing to a database that is migrated, loaded and has its first clients."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded
from app.db import Database
from app.security import Keys
from app.services import credentials, loading, register
from app.settings import ROOT, Settings

CREDENTIALS: Final = "credentials.json"
_TABLES: Final = 16


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The database of the settings, or the embedded one, started here for as long as the block lasts.

    Raises embedded.AlreadyRunning when another process serves the same folder.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded.serve(settings.var / "postgres", binaries=settings.postgres_binaries) as cluster:
        yield cluster.url


@contextmanager
def running_or_own(settings: Settings) -> Iterator[str]:
    """The same, but join the embedded database that another process serves if there is one."""
    running = None if settings.database_url else embedded.attach(settings.var / "postgres")
    if running is not None:
        yield running.url
        return
    with database_url(settings) as url:
        yield url


async def migrate(url: str, *, revision: str = "head") -> None:
    """Bring the schema to a revision (default the newest)."""
    engine = create_async_engine(url)
    config = Config(toml_file=ROOT / "pyproject.toml")
    try:
        async with engine.connect() as connection:

            def run(raw: Any) -> None:
                config.attributes["connection"] = raw
                command.upgrade(config, revision)

            await connection.run_sync(run)
    finally:
        await engine.dispose()


async def load(database: Database, console: Console) -> None:
    """Load the registry, with a progress bar."""
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("registry", total=_TABLES)

        def report(table: str, rows: int) -> None:
            progress.update(bar, advance=1, description=f"{table} ({rows:,})")

        async with database.writing() as writer:
            await loading.load_registry(writer, report=report)


async def load_if_new(database: Database, console: Console) -> bool:
    """Load the registry unless this very data was loaded before; tells whether it did."""
    digest = loading.digest()
    async with database.reading() as reader:
        if await loading.loaded(reader) == digest:
            return False
    await load(database, console)
    return True


async def load_register(database: Database) -> int:
    """Load the Malang 2024 register; returns how many records were new."""
    async with database.writing() as writer:
        return await register.load_register(writer, report=lambda _: None)


async def first_clients(database: Database, keys: Keys, folder: Path) -> list[dict[str, Any]]:
    """The clients of `var/credentials.json`, made on the first run; the file is whole and 0600 before they count."""
    path = folder / CREDENTIALS
    async with database.writing() as writer:
        if path.exists():
            kept: list[dict[str, Any]] = json.loads(path.read_text())
            if await credentials.are_known(writer, [one["client_id"] for one in kept]):
                return kept
        made = credentials.create_first_clients(writer, keys)
        await writer.flush()
        _keep(path, json.dumps(made, indent=1))
    return made


def _keep(path: Path, content: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
