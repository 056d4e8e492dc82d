"""What a database's connections send, through SQLAlchemy and straight to the driver; nothing in the service knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import event

from app.db import Database

#: (driver's connection, statement, parameters) -> what is sent instead.
Before = Callable[[asyncpg.Connection, str, Sequence[Any]], tuple[str, Sequence[Any]]]
After = Callable[[asyncpg.Connection], None]


@contextmanager
def intercepted(database: Database, before: Before, after: After = lambda _: None) -> Iterator[None]:
    """Be asked before each statement of this process that asks or changes rows, of any database; told after it."""
    engine = database.engine.sync_engine
    fetch, execute = asyncpg.Connection.fetch, asyncpg.Connection.execute

    def sends(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return before(connection.connection.dbapi_connection.driver_connection, statement, parameters)

    def sent(connection: Any, *_: Any) -> None:
        after(connection.connection.dbapi_connection.driver_connection)

    async def fetched(driver: asyncpg.Connection, statement: str, *parameters: Any, **options: Any) -> Any:
        instead, given = before(driver, statement, parameters)
        found = await fetch(driver, instead, *given, **options)
        after(driver)
        return found

    async def executed(driver: asyncpg.Connection, statement: str, *given: Any, **options: Any) -> Any:
        opening, entering, again = statement.partition("; select app.enter_again")
        if not entering:
            return await execute(driver, statement, *given, **options)
        instead, _ = before(driver, f"select app.enter_again{again}", ())
        found = await execute(driver, f"{opening}; {instead}", *given, **options)
        after(driver)
        return found

    event.listen(engine, "before_cursor_execute", sends, retval=True)
    event.listen(engine, "after_cursor_execute", sent)
    asyncpg.Connection.fetch, asyncpg.Connection.execute = fetched, executed
    try:
        yield
    finally:
        asyncpg.Connection.fetch, asyncpg.Connection.execute = fetch, execute
        event.remove(engine, "before_cursor_execute", sends)
        event.remove(engine, "after_cursor_execute", sent)


@contextmanager
def heard(database: Database, note: Callable[[str], None]) -> Iterator[None]:
    """Be told each statement that this process sends."""
    with asked(database, lambda statement, _: note(statement)):
        yield


@contextmanager
def asked(database: Database, note: Callable[[str, Sequence[Any]], None]) -> Iterator[None]:
    """Be told each statement that this process sends, and its parameters."""

    def before(_: asyncpg.Connection, statement: str, parameters: Sequence[Any]) -> tuple[str, Sequence[Any]]:
        note(statement, parameters)
        return statement, parameters

    with intercepted(database, before):
        yield
