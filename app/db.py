"""Engine, reading(), writing(), and the one helper that turns driver rows into JSON bytes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cached_property, lru_cache, partial
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import Connection, TextClause, event, text
from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from app import hosts
from app.errors import (
    DuplicateExternalReference,
    NotFound,
    Overloaded,
    Problem,
    Storage,
    TemporarilyUnavailable,
    Timeout,
)
from app.security import Keys
from app.settings import Settings

Reader = AsyncConnection
Writer = AsyncSession
Executor = AsyncConnection | AsyncSession
Row = dict[str, Any]

#: Row limits as literals: `LIMIT $n` makes PostgreSQL plan anew every time.
_LIMITS: Final = (2, 11, 26, 51, 101, 201, 501)

_UNREACHABLE: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
_BY_STATE: Final[Mapping[str, type[Problem]]] = {
    "57014": Timeout,
    "55P03": Timeout,
    "53100": Storage,
    "53200": Overloaded,
    "53300": Overloaded,
    "40001": Overloaded,
    "40P01": Overloaded,
    "57P01": TemporarilyUnavailable,
    "57P02": TemporarilyUnavailable,
    "57P03": TemporarilyUnavailable,
}


_SESSION: Final = {"application_name": "simpul", "timezone": "UTC"}
#: Behind a pooler in transaction mode each transaction may run on another server connection, so nothing is prepared by
#: name, and the session is told no more than such poolers hand on.
_SHARED: Final[dict[str, Any]] = {
    "server_settings": _SESSION,
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": str,  # '': unnamed, parsed in the very message that runs it, and never left behind
}


def _bounds(settings: Settings) -> dict[str, str]:
    """How long anything may take (milliseconds), and no compiling: ours are small statements."""
    return {
        "jit": "off",
        "statement_timeout": str(int(settings.statement_timeout * 1000)),
        "lock_timeout": str(int(settings.statement_timeout * 500)),
        "idle_in_transaction_session_timeout": "15000",
    }


def _own(bounds: dict[str, str]) -> dict[str, Any]:
    """What a connection of our own is told once, at its start."""
    return {"server_settings": {**_SESSION, **bounds}}


def _bind(connection: Connection, *, bounds: dict[str, str]) -> None:
    """Tell a transaction what a connection of our own would have been told."""
    told = ", ".join(f"set_config('{name}', '{bound}', true)" for name, bound in bounds.items())
    connection.exec_driver_sql(f"select {told}")


class Database:
    """The connections of one process."""

    def __init__(self, url: str, settings: Settings, *, keys: Keys | None = None) -> None:
        self.settings = settings
        self._keys = keys
        bounds = _bounds(settings)
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.pool_timeout,
            pool_pre_ping=False,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": 5,
                "async_creator_fn": hosts.Hosts().connect,
                **(_SHARED if settings.pooled else _own(bounds)),
            },
        )
        if settings.pooled:
            event.listen(self.engine.sync_engine, "begin", partial(_bind, bounds=bounds))

        self._read_only = self.engine.execution_options(postgresql_readonly=True)

    @cached_property
    def keys(self) -> Keys:
        """The keys of this process, as given or as its settings keep them; the rings are still to be read."""
        if self._keys is not None:
            return self._keys
        pepper = self.settings.pepper.get_secret_value() if self.settings.pepper else None
        return Keys.open(self.settings.var / "keys", issuer=self.settings.issuer, pepper=pepper)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        """A read-only transaction. Until somebody enters it, no row that belongs to an agency is seen in it."""
        async with self._read_only.connect() as connection:
            connection.info["database"] = self
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        """One transaction: committed when the block ends, rolled back when it raises. Nobody else commits."""
        session = AsyncSession(self.engine, info={"database": self}, expire_on_commit=False, autoflush=False)
        async with session, session.begin():
            yield session

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Writer]:
        """The same, for the house's own work: as the worker, which sees every row."""
        async with self.writing() as writer:
            await work(writer)
            yield writer

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def settings_of(executor: Executor) -> Settings:
    """The settings of the process that this transaction belongs to."""
    settings: Settings = executor.info["database"].settings
    return settings


def keys_of(executor: Executor) -> Keys:
    """The keys of the process that this transaction belongs to."""
    keys: Keys = executor.info["database"].keys
    return keys


@asynccontextmanager
async def attempting(writer: Writer) -> AsyncIterator[None]:
    """A part of a transaction: what it wrote, and what it noted, is taken back when the block raises."""
    known = {name: dict(noted) if isinstance(noted, dict) else noted for name, noted in writer.info.items()}
    try:
        async with writer.begin_nested():
            yield
    except BaseException:
        writer.info.clear()
        writer.info.update(known)
        raise


async def began(writer: Writer) -> datetime:
    """When this transaction began, by the database's clock: the `recorded_at` of all that it writes."""
    if "began" not in writer.info:
        writer.info["began"] = await value(writer, "select now()")
    moment: datetime = writer.info["began"]
    return moment


async def work(writer: Writer) -> None:
    """Go on as the worker, which sees every row, to the end of the transaction."""
    writer.info["began"] = await value(writer, "select now() from app.work()")


@lru_cache(maxsize=1024)
def _statement(sql: str) -> TextClause:
    return text(sql)


async def rows(executor: Executor, sql: str, /, **values: Any) -> list[Row]:
    """The rows of a statement, each a dict in the order of its columns."""
    result = await executor.execute(_statement(sql), values)
    return [dict(row) for row in result.mappings()]


async def row(executor: Executor, sql: str, /, **values: Any) -> Row | None:
    """The first row of a statement, or None."""
    found = await rows(executor, sql, **values)
    return found[0] if found else None


async def one(executor: Executor, sql: str, /, **values: Any) -> Row:
    """The first row of a statement; raises NotFound when there is none."""
    found = await row(executor, sql, **values)
    if found is None:
        raise NotFound
    return found


async def value(executor: Executor, sql: str, /, **values: Any) -> Any:
    """The first column of the first row, or None."""
    found = await row(executor, sql, **values)
    return next(iter(found.values())) if found else None


async def execute(writer: Writer, statement: str) -> None:
    """Run a statement that returns nothing, as it stands."""
    await (await writer.connection()).exec_driver_sql(statement)


def encode(content: Any) -> bytes:
    """JSON bytes of rows or of a document; times in UTC with `Z`."""
    return orjson.dumps(content, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(other: Any) -> Any:
    """Driver types that orjson does not know: asyncpg's UUID, tuples and sets of text."""
    if isinstance(other, set | frozenset):
        return sorted(other)
    return str(other)


def limit_literal(limit: int) -> int:
    """The smallest allowed literal that fetches `limit` rows and one more, which tells whether there is a next page."""
    return next(literal for literal in _LIMITS if literal > limit)


def utc(column: str) -> str:
    """SQL: an instant inside a JSON document, spelled as `encode` spells it."""
    return f"replace(to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', '') || 'Z'"


def constraint_of(error: sa.IntegrityError) -> str | None:
    """The name of the constraint that a write broke."""
    cause = getattr(error.orig, "__cause__", None)
    return getattr(cause, "constraint_name", None)


def problem_of(error: Exception) -> Problem | None:
    """The refusal that a failure of the database amounts to, or None when it is a fault of ours."""
    if isinstance(error, sa.TimeoutError):
        return Overloaded()
    if isinstance(error, sa.IntegrityError) and (constraint_of(error) or "").endswith("external_reference"):
        return DuplicateExternalReference(reference=None)  # another request of the agency was a moment faster
    if isinstance(error, sa.DBAPIError):
        cause = getattr(error.orig, "__cause__", None)
        state = getattr(cause, "sqlstate", None) or ""
        if state in _BY_STATE:
            return _BY_STATE[state]()
        if error.connection_invalidated or state.startswith("08") or isinstance(cause, _UNREACHABLE):
            return TemporarilyUnavailable()
        return None
    return TemporarilyUnavailable() if isinstance(error, (*_UNREACHABLE, TimeoutError)) else None


def digest(content: bytes) -> str:
    """A short name of some bytes: the same bytes, the same name."""
    return hashlib.sha256(content).hexdigest()[:12]
