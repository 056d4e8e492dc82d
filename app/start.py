"""From nothing to a database that is migrated, loaded and has its first clients."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app import embedded
from app.db import Database, Writer, execute, work
from app.rules.caller import itself
from app.security import Keys
from app.services import health, loading, locks, log_keys, register, signing
from app.services.first_clients import are_known, create_first_clients, has_clients
from app.services.locks import Lock
from app.settings import ROOT, Settings

CREDENTIALS: Final = "credentials.json"


class StartRefused(RuntimeError):
    """The service must not start like this; the message tells an operator why."""


class Logins(NamedTuple):
    """The one database, as each part of the service logs in to it: all the same unless the settings name others."""

    owner: str
    api: str
    worker: str


@contextmanager
def doors(settings: Settings) -> Iterator[Logins]:
    """The database of the settings, or the embedded one, started here for as long as the block lasts.

    Raises embedded.AlreadyRunning when another process serves the same folder, StartRefused.
    """
    if settings.database_url is not None:
        api = settings.database_url.get_secret_value()
        worker = settings.worker_url.get_secret_value() if settings.worker_url else api
        yield Logins(_owner(settings, api), api, worker)
        return
    with embedded.serve(settings.var / "postgres", binaries=settings.postgres_binaries) as cluster:
        yield Logins(cluster.url, cluster.url, cluster.url)


def _owner(settings: Settings, api: str) -> str:
    if settings.owner_url is not None:
        return settings.owner_url.get_secret_value()
    if settings.pooled:
        raise StartRefused(
            "Migrations hold a lock of their session, which a pooler in transaction mode would give to somebody else:"
            " set SIMPUL_OWNER_URL to reach PostgreSQL itself."
        )
    return api


@contextmanager
def running_or_own(settings: Settings) -> Iterator[str]:
    """The same as its owner, but join the embedded database that another process serves if there is one."""
    running = None if settings.database_url else embedded.attach(settings.var / "postgres")
    if running is not None:
        yield running.url
        return
    with doors(settings) as logins:
        yield logins.owner


async def require_walls(url: str, settings: Settings) -> None:
    """Refuse production without its second wall, as the API will find it; raises StartRefused."""
    if settings.env != "production":
        return
    reached = Database(url, settings)
    try:
        async with reached.reading() as reader:
            missing = await health.missing_walls(reader)
    finally:
        await reached.close()
    if missing:
        raise StartRefused(
            f"The second wall is not up: {', '.join(missing)} missing. README.md, In production, says how to raise it."
        )


async def migrate(url: str, *, revision: str = "head") -> None:
    """Bring the schema to a revision (default the newest)."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            if revision != "head" or await _revision(connection) != newest():
                # each start would load the tool and read every migration, to find nothing
                from app.migrating import bring  # noqa: PLC0415

                await connection.run_sync(bring, revision)
            if await connection.scalar(text("select to_regprocedure('app.raise_walls()') is not null")):
                await connection.execute(text("call app.raise_walls()"))  # the roles may have come since
                await connection.commit()
    finally:
        await engine.dispose()


async def _revision(connection: AsyncConnection) -> str | None:
    """The revision that the schema has; None before the first."""
    if not await connection.scalar(text("select to_regclass('alembic_version') is not null")):
        return None
    found: str | None = await connection.scalar(text("select version_num from alembic_version"))
    return found


def newest() -> str:
    """The newest revision there is: that of the last migration by name, as names begin with the day and a number."""
    last = max((ROOT / "migrations" / "versions").glob("*.py"))
    said = re.search(r'^revision = "(\w+)"$', last.read_text(encoding="utf-8"), re.MULTILINE)
    return said[1] if said else ""


async def load(database: Database, console: Console, *, with_register: bool) -> int:
    """Load the registry with a progress bar, and the Malang 2024 register: all of it or nothing.

    Returns how many records of the register were new.
    """
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("registry", total=loading.TABLES)

        def report(table: str, rows: int) -> None:
            progress.update(bar, advance=1, description=f"{table} ({rows:,})")

        async with database.writing() as writer:
            await _alone(writer)
            await loading.load_registry(writer, report=report)
            await work(writer)
            return await register.load_register(writer) if with_register else 0


async def load_if_new(database: Database, console: Console, *, with_register: bool) -> None:
    """The same, unless this very data was loaded before."""
    async with database.reading() as reader:
        if await loading.loaded(reader) == loading.digest():
            return
    await load(database, console, with_register=with_register)


async def _alone(writer: Writer) -> None:
    """Wait until no other process prepares this database, and let the preparation take its time."""
    await execute(writer, "set local statement_timeout = '120s'")
    await execute(writer, "set local lock_timeout = '60s'")
    await locks.wait(writer, Lock.PREPARATION)


async def signing_ring(database: Database, keys: Keys, folder: Path) -> None:
    """Make the log's key and the signing ring on the first start.

    The ring begins with the newest key that an earlier version kept in a file, if any: the database then holds it under
    seal, and the file goes. Raises signing.RingRefused.
    """
    kept = _pems(folder)
    adopted = kept[-1].read_bytes() if kept else None
    async with database.working() as writer:
        await log_keys.prepare(writer, by=itself("start"))
        made = await signing.prepare_ring(writer, keys, by=itself("start"), adopted=adopted)
    if made and kept:
        kept[-1].unlink()


def _pems(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pem"))


async def first_clients(database: Database, keys: Keys, folder: Path) -> list[dict[str, Any]]:
    """The clients of `var/credentials.json`, made on the first run; the file is whole and 0600 before they count.

    A database that has clients gets no more: then there are none to tell of.
    """
    path = folder / CREDENTIALS
    async with database.working() as writer:
        await _alone(writer)
        if path.exists():
            kept: list[dict[str, Any]] = json.loads(path.read_text())
            if await are_known(writer, [one["client_id"] for one in kept]):
                return kept
        if await has_clients(writer):
            return []
        made = await create_first_clients(writer, keys)
        await writer.flush()
        _keep(path, json.dumps(made, indent=1))
    return made


def keep_also(path: Path, made: list[dict[str, Any]]) -> None:
    """Add clients to a file of credentials, which is whole and 0600 at every instant."""
    kept = json.loads(path.read_text()) if path.exists() else []
    _keep(path, json.dumps([*kept, *made], indent=1))


def _keep(path: Path, content: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
