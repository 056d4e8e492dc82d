"""Advisory locks: what one transaction of all processes does at a time, and keeps to itself until it ends."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Any

from app.db import Writer, value


@unique
class Lock(IntEnum):
    """What is locked, by the number under which PostgreSQL shows it."""

    ANSWER = 731
    MISUSE = 732
    MIGRATION = 731_005_001
    PREPARATION = 731_005_002
    SIGNING_RING = 731_005_003
    EXPIRY_WARNINGS = 731_005_004
    OPERATORS = 731_005_005
    SEQUENCE = 731_005_006
    LOG_KEYS = 731_005_007
    WEBHOOKS = 731_005_008
    WEBHOOK_CLAIMS = 731_005_009
    CALENDAR = 731_005_010
    RETIREMENT = 731_005_011


async def wait(writer: Writer, lock: Lock, *, of: str | None = None) -> None:
    """Wait until nobody else is at it; `of` names one of many such things, each of which has a lock of its own."""
    key, given = _key(lock, of)
    await value(writer, f"select pg_advisory_xact_lock({key})", **given)


async def attempt(writer: Writer, lock: Lock, *, of: str | None = None) -> bool:
    """The same without waiting: whether nobody else is at it."""
    key, given = _key(lock, of)
    return bool(await value(writer, f"select pg_try_advisory_xact_lock({key}) as mine", **given))


def _key(lock: Lock, of: str | None) -> tuple[str, dict[str, Any]]:
    if of is None:
        return ":key", {"key": lock.value}
    return "hashtextextended(:of, :key)", {"key": lock.value, "of": of}
