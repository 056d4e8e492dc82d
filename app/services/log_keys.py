"""The keys that sign heads of the log and receipts: one signs, all that ever did can be had for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from app.db import Database, Executor, Row, Writer, keys_of, row, rows, value
from app.models import LogKey
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.security import Keys, SigningKey, new_pem, public_half, seal, unseal
from app.services import locks, log
from app.services.locks import Lock

#: How long a process goes on signing with the key it read (seconds): a retired one still verifies.
_FRESH: Final = 30.0
_REMEMBERED: Final = 1.0


async def prepare(writer: Writer, *, by: Caller) -> bool:
    """Make the first key where there is none; returns whether it did."""
    await locks.wait(writer, Lock.LOG_KEYS)
    if await value(writer, "select 1 as there from log_key where retired_at is null"):
        return False
    await _add(writer, by)
    return True


async def rotate(writer: Writer, *, by: Caller) -> str:
    """Let a new key sign from now on; the old one's private half goes. Returns the new kid."""
    await locks.wait(writer, Lock.LOG_KEYS)
    retired = await value(
        writer,
        "update log_key set sealed = null, retired_at = now() where retired_at is null returning kid",
    )
    if retired is not None:
        await _record(writer, by, EventKind.LOG_KEY_RETIRED, retired)
    return await _add(writer, by)


async def _add(writer: Writer, by: Caller) -> str:
    pem = new_pem()
    public = public_half(pem)
    kid = SigningKey.known(public, None).kid
    writer.add(LogKey(kid=kid, public=public.decode(), sealed=seal(keys_of(writer), _name(kid), pem)))
    await _record(writer, by, EventKind.LOG_KEY_ADDED, kid)
    await writer.flush()
    return kid


async def _record(writer: Writer, by: Caller, kind: EventKind, kid: str) -> None:
    await log.record(writer, by, kind, on="log_key", id=kid, effective_at=datetime.now(UTC))


async def signer(writer: Writer) -> SigningKey:
    """The key that signs now."""
    keys = keys_of(writer)
    if keys.log_key is None or monotonic() - keys.log_key_read_at > _FRESH:
        found = await row(writer, "select kid, public, sealed from log_key where retired_at is null")
        if found is None:
            raise AssertionError("The log has no key.")
        keys.log_key, keys.log_key_read_at = _opened(keys, found["kid"], found["public"], found["sealed"]), monotonic()
    return keys.log_key


def _opened(keys: Keys, kid: str, public: str, sealed: bytes) -> SigningKey:
    return SigningKey.known(public.encode(), unseal(keys, _name(kid), sealed))


async def list_keys(executor: Executor) -> list[Row]:
    """All keys there ever were, the oldest first."""
    return await rows(executor, "select kid, recorded_at, retired_at from log_key order by recorded_at, kid")


async def published(executor: Executor) -> list[dict[str, str]]:
    """The public halves of all keys there ever were (RFC 7517), the oldest first."""
    found = await rows(executor, "select public from log_key order by recorded_at, kid")
    return [SigningKey.known(one["public"].encode(), None).published() for one in found]


class Published:
    """What `published` says, as a JWKS, asked of the database once a second at most, however many want to know."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._asked_at, self._said = -_REMEMBERED, dict[str, Any]()

    async def now(self) -> dict[str, Any]:
        """The keys, at most a second old."""
        async with self._lock:
            if monotonic() - self._asked_at >= _REMEMBERED:
                async with self._database.reading() as reader:
                    self._said = {"keys": await published(reader)}
                self._asked_at = monotonic()
            return self._said


def _name(kid: str) -> str:
    return f"log-key:{kid}"
