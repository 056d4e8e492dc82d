"""Engine, reading(), writing(), and the one helper that turns driver rows into JSON bytes."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache, partial
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import Connection, Table, TextClause, event, text
from sqlalchemy import exc as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util import greenlet_spawn
from sqlmodel import SQLModel

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

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """A read-only transaction on the driver's own connection, and what is known in it."""

    driver: asyncpg.Connection
    info: dict[Any, Any]


Writer = AsyncSession
Executor = Reader | Writer

#: Row limits as literals: `LIMIT $n` makes PostgreSQL plan anew every time.
_LIMITS: Final = (2, 11, 26, 51, 101, 201, 501)

_UNREACHABLE: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
#: What was prepared for a schema that has changed since; the connection prepares it anew when asked again.
_OUTDATED: Final = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
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
#: How many statements a connection keeps prepared, however long they are and for as long as it lives.
_PREPARED: Final = {"statement_cache_size": 200, "max_cached_statement_lifetime": 0, "max_cacheable_statement_size": 0}
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
    return {"server_settings": {**_SESSION, **bounds}, **_PREPARED}


def _telling(bounds: dict[str, str]) -> str:
    """SQL: tell a transaction what a connection of our own would have been told."""
    return "select " + ", ".join(f"set_config('{name}', '{bound}', true)" for name, bound in bounds.items())


def _bind(connection: Connection, *, telling: str) -> None:
    connection.exec_driver_sql(telling)


def _require_open(dbapi: Any, *_: Any) -> None:
    """Hand out no connection that has ended meanwhile: the pool opens another one instead."""
    if dbapi.driver_connection.is_closed():
        raise sa.DisconnectionError


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
            connect_args={"timeout": 5, **(_SHARED if settings.pooled else _own(bounds))},
        )
        self._begin = "begin read only"
        if settings.pooled:
            self._begin += f"; {_telling(bounds)}"
            event.listen(self.engine.sync_engine, "begin", partial(_bind, telling=_telling(bounds)))
        event.listen(self.engine.sync_engine, "checkout", _require_open)
        # in front of the pool, which lets newcomers pass those who wait
        self._turns = asyncio.Semaphore(settings.pool_size)

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
        async with self._turn():
            held = await self.engine.raw_connection()
            driver: asyncpg.Connection = held.driver_connection
            try:
                await driver.execute(self._begin)
                yield Reader(driver, {"database": self})
            finally:
                await _end(driver)
                await greenlet_spawn(held.close)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        """One transaction: committed when the block ends, rolled back when it raises. Nobody else commits."""
        async with self._turn():
            session = AsyncSession(self.engine, info={"database": self}, expire_on_commit=False, autoflush=False)
            async with session, session.begin():
                yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A connection's worth of room: who comes first is served first; raises Overloaded when none comes in time."""
        try:
            async with asyncio.timeout(self.settings.pool_timeout if self._turns.locked() else None):
                await self._turns.acquire()
        except TimeoutError as late:
            raise Overloaded from late
        try:
            yield
        finally:
            self._turns.release()

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


async def _end(driver: asyncpg.Connection) -> None:
    """End a transaction that wrote nothing; a connection that can't say so is not used again."""
    try:
        await driver.execute("rollback")
    except BaseException as error:
        driver.terminate()
        if not isinstance(error, (*_UNREACHABLE, asyncpg.PostgresError)):
            raise  # a lost connection is told by whoever used it


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement as the driver takes it, and the names of its parameters in their order."""

    clause: TextClause
    driver_sql: str
    names: tuple[str, ...]


@lru_cache(maxsize=1024)
def _statement(sql: str, literals: tuple[tuple[str, str], ...]) -> _Statement:
    written = dict(literals)
    clause = text(_PARAMETER.sub(lambda found: written.get(found[1], found[0]), sql) if written else sql)
    compiled = clause.compile(dialect=_DIALECT)
    return _Statement(clause, str(compiled), tuple(compiled.positiontup or ()))


_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]
_PARAMETER: Final = re.compile(r"(?<![:\\]):(\w+)")


def _literal(content: object) -> str | None:
    """SQL of a truth or of words of an enumeration, which are few; None for whatever else a parameter holds.

    Written into the statement, they are seen by a plan that is made once for all parameters: the one for a caller who
    sees the whole nation is not the one for a city, nor is what finds nobody's drafts what finds everybody's tasks.
    """
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, list) and content and all(isinstance(one, StrEnum) for one in content):
        return f"cast('{{{','.join(content)}}}' as text[])"
    return None


async def rows(executor: Executor, sql: str, /, **values: Any) -> list[Row]:
    """The rows of a statement, each a dict in the order of its columns.

    It goes to the driver as it is. The first one of a Writer goes by its session, which begins the transaction with it.
    """
    literals = tuple((name, literal) for name, one in values.items() if (literal := _literal(one)) is not None)
    statement = _statement(sql, literals)
    if isinstance(executor, Writer) and "driver" not in executor.info:
        return await _first_rows(executor, statement, values)
    driver = executor.driver if isinstance(executor, Reader) else executor.info["driver"]
    try:
        found = await driver.fetch(statement.driver_sql, *(values[name] for name in statement.names))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise sa.IntegrityError(sql, None, error) from error
    except (*_UNREACHABLE, asyncpg.PostgresError) as error:
        raise sa.DBAPIError(sql, None, error) from error
    return [dict(row) for row in found]


async def _first_rows(writer: Writer, statement: _Statement, values: dict[str, Any]) -> list[Row]:
    result = await writer.execute(statement.clause, values)
    writer.info["driver"] = (await (await writer.connection()).get_raw_connection()).driver_connection
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


async def insert(writer: Writer, record: SQLModel) -> None:
    """Enter a record at once; what it holds None of is left to the database. Raises IntegrityError."""
    table = metadata_of(record)
    given = {name: content for name, content in stored(table, record.model_dump()).items() if content is not None}
    columns, parameters = ", ".join(given), ", ".join(f":{name}" for name in given)
    await rows(writer, f"insert into {table.name} ({columns}) values ({parameters})", **given)


def metadata_of(record: SQLModel) -> Table:
    """The table of a record."""
    table: Table = record.__table__  # type: ignore[attr-defined]
    return table


def stored(table: Table, values: Mapping[str, Any]) -> Row:
    """Values as the driver takes them for the columns of these names: documents as JSON."""
    return {
        name: encode(content).decode() if isinstance(table.c[name].type, JSONB) and content is not None else content
        for name, content in values.items()
    }


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
    return getattr(_cause(error), "constraint_name", None)


def problem_of(error: Exception) -> Problem | None:
    """The refusal that a failure of the database amounts to, or None when it is a fault of ours."""
    if isinstance(error, sa.TimeoutError):
        return Overloaded()
    if isinstance(error, sa.IntegrityError) and (constraint_of(error) or "").endswith("external_reference"):
        return DuplicateExternalReference(reference=None)  # another request of the agency was a moment faster
    cause = _cause(error) if isinstance(error, sa.DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or ""
    if state in _BY_STATE:
        return _BY_STATE[state]()
    lost = isinstance(error, sa.DBAPIError) and error.connection_invalidated
    if lost or state.startswith("08") or isinstance(cause, (*_UNREACHABLE, *_OUTDATED, TimeoutError)):
        return TemporarilyUnavailable()
    return None


def _cause(error: sa.DBAPIError) -> BaseException | None:
    """What the driver said, of itself or behind what its adapter made of it."""
    return getattr(error.orig, "__cause__", None) or error.orig


def digest(content: bytes) -> str:
    """A short name of some bytes: the same bytes, the same name."""
    return hashlib.sha256(content).hexdigest()[:12]
