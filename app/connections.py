"""Connections: how they are opened, what each is told, how many there are."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, event
from sqlalchemy import exc as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app import hosts
from app.settings import Settings

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


def _tell(connection: Connection, *, telling: str) -> None:
    connection.exec_driver_sql(telling)


def _require_open(dbapi: Any, *_: Any) -> None:
    """Hand out no connection that has ended meanwhile: the pool opens another one instead."""
    if dbapi.driver_connection.is_closed():
        raise sa.DisconnectionError


def open_engine(url: str, settings: Settings) -> AsyncEngine:
    """The pool of a process; behind a pooler each transaction is told what a connection of our own is told once."""
    bounds = _bounds(settings)
    engine = create_async_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_use_lifo=True,  # the one that knows the statements best
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
        event.listen(engine.sync_engine, "begin", partial(_tell, telling=_telling(bounds)))
    event.listen(engine.sync_engine, "checkout", _require_open)
    return engine


def beginning(settings: Settings) -> str:
    """SQL: how a read-only transaction begins."""
    return f"begin read only; {_telling(_bounds(settings))}" if settings.pooled else "begin read only"
