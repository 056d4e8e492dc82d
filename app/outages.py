"""What a failure of the database amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg
from sqlalchemy import exc as sa

from app.errors import (
    DuplicateExternalReference,
    Overloaded,
    Problem,
    Storage,
    TemporarilyUnavailable,
    Timeout,
)

#: What the driver raises when it can't reach the server.
UNREACHABLE: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
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
    if lost or state.startswith("08") or isinstance(cause, (*UNREACHABLE, *_OUTDATED)):
        return TemporarilyUnavailable()
    return None


def _cause(error: sa.DBAPIError) -> BaseException | None:
    """What the driver said, of itself or behind what its adapter made of it."""
    return getattr(error.orig, "__cause__", None) or error.orig
