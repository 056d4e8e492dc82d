"""Answers kept for replay: written with the effect, sealed under the caller's own key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from app.db import Writer, one, settings_of, value
from app.errors import IdempotencyInProgress, IdempotencyKeyReused
from app.rules.caller import Caller
from app.security import Keys, seal, unseal
from app.services.locks import Lock

_KEEP: Final = """
    insert into idempotency_record (client_id, key_hash, request_hash, answer, expires_at)
    values (:client_id, :key_hash, :request_hash, :answer, :expires_at)
    on conflict (client_id, key_hash) do update
        set request_hash = excluded.request_hash, answer = excluded.answer, expires_at = excluded.expires_at
    returning expires_at
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it goes out: status, headers that belong to it, body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Ticket:
    """One key of one client, and the request it was first used for."""

    client_id: UUID
    key: str
    request_hash: bytes

    @property
    def key_hash(self) -> bytes:
        """The key is stored only as a hash, for it opens the sealed answer."""
        return hashlib.sha256(self.name.encode()).digest()

    @property
    def name(self) -> str:
        """What the lock and the seal are named after."""
        return f"{self.client_id}:{self.key}"


def ticket(caller: Caller, key: str, *, method: str, path: str, body: bytes) -> Ticket:
    """The ticket of a request; with another role or clearance the same words are another request."""
    if caller.client_id is None:
        raise AssertionError(caller)
    standing = f"{caller.agency} {caller.role} {caller.cleared}"
    digest = hashlib.sha256(b"\0".join((standing.encode(), method.encode(), path.encode(), body))).digest()
    return Ticket(caller.client_id, key, digest)


async def begin(writer: Writer, keys: Keys, ticket: Ticket) -> Answer | None:
    """The kept answer of this key, or None when the work is still to be done; a try-lock, so that nobody waits.

    Raises IdempotencyInProgress, IdempotencyKeyReused.
    """
    kept = await one(
        writer,
        "select * from app.kept_answer(:lock, :name, :client_id, :key_hash)",
        lock=Lock.ANSWER.value,
        name=ticket.name,
        client_id=ticket.client_id,
        key_hash=ticket.key_hash,
    )
    if not kept["mine"]:
        raise IdempotencyInProgress
    if kept["answer"] is None:
        return None
    if kept["request_hash"] != ticket.request_hash:
        raise IdempotencyKeyReused
    found: dict[str, Any] = orjson.loads(unseal(keys, ticket.name, kept["answer"]))
    return Answer(found["status"], found["headers"], found["body"].encode())


async def keep(writer: Writer, keys: Keys, ticket: Ticket, answer: Answer) -> None:
    """Keep an answer in the transaction of its effect."""
    content = orjson.dumps({"status": answer.status, "headers": answer.headers, "body": answer.body.decode()})
    await value(
        writer,
        _KEEP,
        client_id=ticket.client_id,
        key_hash=ticket.key_hash,
        request_hash=ticket.request_hash,
        answer=seal(keys, ticket.name, content),
        expires_at=datetime.now(UTC) + timedelta(hours=settings_of(writer).idempotency_hours),
    )


async def forget_expired(writer: Writer) -> int:
    """Delete answers past their time; returns how many."""
    gone = await value(
        writer,
        "with gone as (delete from idempotency_record where expires_at <= now() returning 1) select count(*) from gone",
    )
    return int(gone)
