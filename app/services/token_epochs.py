"""Tokens by the dozen: an epoch that is over ends all that were issued in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Writer, value
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.services import client_rows, log

_EVERYBODY: Final = "everybody"


async def revoke_of_client(writer: Writer, caller: Caller, id: UUID, reason: str) -> dict[str, Any]:
    """End all tokens of a client from the next request on; it may fetch new ones. Raises NotFound, PermissionDenied."""
    client = await client_rows.locked(writer, caller, id, Permission.TOKENS_REVOKE)
    await value(writer, "update client set epoch = epoch + 1 where id = :id returning epoch", id=id)
    await _record(writer, caller, str(id), "client", reason, concerns=client["agency"])
    return _ended(str(id))


async def revoke_all(writer: Writer, caller: Caller, reason: str) -> dict[str, Any]:
    """End all tokens of everybody, the caller's own too; raises PermissionDenied."""
    policy.require(caller.role, Permission.TOKENS_REVOKE_ALL, set())
    await begin_epoch(writer, caller, reason)
    return _ended(_EVERYBODY)


async def begin_epoch(writer: Writer, by: Caller, reason: str) -> int:
    """End all tokens of everybody, whoever asks, and enter that fact; returns the number of the new epoch."""
    number: int = await value(writer, "update epoch set number = number + 1 returning number")
    await _record(writer, by, _EVERYBODY, "epoch", reason)
    return number


async def _record(writer: Writer, by: Caller, id: str, on: str, reason: str, *, concerns: str | None = None) -> None:
    now, said = datetime.now(UTC), {"reason": reason}
    await log.record(
        writer, by, EventKind.TOKENS_REVOKED, on=on, id=id, effective_at=now, payload=said, concerns=concerns
    )


def _ended(tokens_of: str) -> dict[str, Any]:
    return {"tokens_of": tokens_of, "revoked_at": datetime.now(UTC)}
