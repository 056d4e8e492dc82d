"""Engine, reading(), writing(), and the one helper that turns driver rows into JSON bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import asyncpg
import orjson
from cachetools import LRUCache, TTLCache
from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from app.connections import beginning, open_engine
from app.errors import NotFound, Overloaded, Problem
from app.outages import UNREACHABLE
from app.security import Keys
from app.settings import Settings
from app.sql import Statement, statement
from app.turns import Turn, Turns

Row = dict[str, Any]


@dataclass(slots=True)
class Reader:
    """A read-only transaction on the driver's own connection, and what is known in it.

    `opening` is the SQL that still has to begin it: it goes with the first statement, or before it. Until it went, the
    transaction of whoever handed the connection on may be there.
    """

    driver: asyncpg.Connection
    info: dict[Any, Any]
    opening: str | None


Writer = AsyncSession
Executor = Reader | Writer


class Database:
    """The connections of one process."""

    def __init__(self, url: str, settings: Settings, *, keys: Keys | None = None) -> None:
        self.settings = settings
        self._keys = keys
        self.engine: AsyncEngine = open_engine(url, settings)
        self._begin = beginning(settings)
        # in front of the pool, which lets newcomers pass those who wait
        self._turns = Turns[PoolProxiedConnection](
            settings.pool_size,
            busy=settings.pool_busy,
            patience=settings.pool_timeout,
            put_back=self._put_back,
            rests=not settings.pooled,  # a pooler lends others what is in no transaction
        )
        self._ending: set[asyncio.Task[None]] = set()
        #: Who holds a token, as the database said last, and how it is to say whether that still holds.
        self.known: LRUCache[Any, Any] = LRUCache(maxsize=_KNOWN)
        #: Who sees much of the nation, as the database said within the last minute.
        self.breadths: TTLCache[Any, bool] = TTLCache(maxsize=_KNOWN, ttl=60.0)

    @cached_property
    def keys(self) -> Keys:
        """The keys of this process, as given or as its settings keep them; the rings are still to be read."""
        if self._keys is not None:
            return self._keys
        pepper = self.settings.pepper.get_secret_value() if self.settings.pepper else None
        return Keys.open(self.settings.var / "keys", issuer=self.settings.issuer, pepper=pepper)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        """A read-only transaction. Until somebody enters it, no row that belongs to an agency is seen in it.

        Where others wait to read, or come at once, its connection is handed on as it is: their first message ends what
        it left.
        """
        turn = await self._turn(reads=True)
        driver, opening = await self._connected(turn)
        sound = False
        try:
            yield Reader(driver, {"database": self}, opening)
            sound = True
        except Problem:
            sound = True
            raise
        finally:
            if not sound or driver.is_closed() or not self._turns.hand_on(turn):
                self._put_back(turn)

    async def _connected(self, turn: Turn[PoolProxiedConnection]) -> tuple[asyncpg.Connection, str]:
        """The connection that came with a turn, or one of the pool, and the SQL by which a reading begins on it."""
        if turn.work is not None:
            if not (driver := _driver_of(turn.work)).is_closed():
                return driver, f"rollback; {self._begin}"
            self._see_to(_end(turn.work))
            turn.work = None
        try:
            turn.work = await self.engine.raw_connection()
        except BaseException:
            self._turns.give(turn)
            raise
        if (driver := _driver_of(turn.work)).is_in_transaction():
            driver.terminate()  # nobody leaves one open; were it so, what it may see would be somebody else's
        return driver, self._begin

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        """One transaction: committed when the block ends, rolled back when it raises. Nobody else commits."""
        turn = await self._turn(reads=False)
        try:
            session = AsyncSession(self.engine, info={"database": self}, expire_on_commit=False, autoflush=False)
            async with session, session.begin():
                yield session
        finally:
            self._turns.give(turn)

    def _put_back(self, turn: Turn[PoolProxiedConnection]) -> None:
        """End a reading, give its connection back and then its turn; nobody waits for it."""
        self._see_to(self._give_back(turn))

    def _see_to(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _give_back(self, turn: Turn[PoolProxiedConnection]) -> None:
        try:
            if turn.work is not None:
                await _end(turn.work)
        finally:
            self._turns.give(turn)

    async def _turn(self, *, reads: bool) -> Turn[PoolProxiedConnection]:
        """A connection's worth of room, perhaps with the connection of a reading that ended; raises Overloaded."""
        try:
            return await self._turns.take(reads=reads)
        except TimeoutError as late:
            raise Overloaded from late

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Writer]:
        """The same, for the house's own work: as the worker, which sees every row."""
        async with self.writing() as writer:
            await work(writer)
            yield writer

    async def close(self) -> None:
        """Close every connection."""
        self._turns.end()
        await asyncio.gather(*self._ending, return_exceptions=True)
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


#: The SQLSTATE of a statement that says that what it was told of has changed.
CHANGED: Final = "SI001"
_KNOWN: Final = 4096  # holders of tokens of whom a process knows what it was told
_PATIENCE: Final = 1.0  # seconds that a server has for the end of a transaction that wrote nothing


def _driver_of(held: PoolProxiedConnection) -> asyncpg.Connection:
    return held.driver_connection


async def _end(held: PoolProxiedConnection) -> None:
    """End a transaction that wrote nothing; a connection that can't say so is not used again."""
    driver = _driver_of(held)
    try:
        async with asyncio.timeout(_PATIENCE):
            await driver.execute("rollback")
    except (*UNREACHABLE, asyncpg.PostgresError):
        driver.terminate()  # who used it was told, or will be
    finally:
        await greenlet_spawn(held.close)


async def rows(executor: Executor, sql: str, /, **values: Any) -> list[Row]:
    """The rows of a statement, each a dict in the order of its columns.

    It goes to the driver as it is. The first one of a Writer goes by its session, which begins the transaction with it.
    """
    asked = statement(sql, values)
    if isinstance(executor, Writer) and "driver" not in executor.info:
        return await _first_rows(executor, asked, values)
    try:
        driver = executor.info["driver"] if isinstance(executor, Writer) else await _begun(executor)
        found = await driver.fetch(asked.driver_sql, *(values[name] for name in asked.names))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise sa.IntegrityError(sql, None, error) from error
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        raise sa.DBAPIError(sql, None, error) from error
    return [dict(row) for row in found]


async def _begun(reader: Reader) -> asyncpg.Connection:
    """The driver's connection of a reading that has begun, at the latest now."""
    if reader.opening is not None:
        await reader.driver.execute(reader.opening)
        reader.opening = None
    return reader.driver


async def opened_by(reader: Reader, sql: str) -> bool:
    """Begin a reading with a statement that returns nothing; False where it says CHANGED: the next one begins it."""
    try:
        await reader.driver.execute(f"{reader.opening}; {sql}")
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        if getattr(error, "sqlstate", None) != CHANGED:
            raise sa.DBAPIError(sql, None, error) from error
        reader.opening = f"rollback; {reader.opening}"
        return False
    reader.opening = None
    return True


async def _first_rows(writer: Writer, asked: Statement, values: dict[str, Any]) -> list[Row]:
    result = await writer.execute(asked.clause, values)
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


async def execute(writer: Writer, statement: str) -> None:
    """Run a statement that returns nothing, as it stands."""
    await (await writer.connection()).exec_driver_sql(statement)


def encode(content: Any) -> bytes:
    """JSON bytes of rows or of a document; times in UTC with `Z`."""
    return orjson.dumps(content, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(other: Any) -> Any:
    """Driver types that orjson does not know: asyncpg's UUID, tuples and sets of text."""
    return sorted(other) if isinstance(other, set | frozenset) else str(other)
