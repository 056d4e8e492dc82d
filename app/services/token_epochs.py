"""Tokens by the dozen: an epoch that is over ends all that were issued in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Writer, one, value
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.services import client_rows, log

_EVERYBODY: Final = "everybody"


async def revoke_of_client(writer: Writer, caller: Caller, id: UUID, reason: str) -> dict[str, Any]:
    """End all tokens of a client from the next request on; it may fetch new ones. Raises NotFound, PermissionDenied."""
    await client_rows.locked(writer, caller, id, Permission.TOKENS_REVOKE)
    await value(writer, "update client set epoch = epoch + 1 where id = :id returning epoch", id=id)
    return _revoked(writer, caller, str(id), "client", reason)


async def revoke_all(writer: Writer, caller: Caller, reason: str) -> dict[str, Any]:
    """End all tokens of everybody, the caller's own too; raises PermissionDenied."""
    policy.require(caller.role, Permission.TOKENS_REVOKE_ALL, set())
    await one(writer, "update epoch set number = number + 1 returning number")
    return _revoked(writer, caller, _EVERYBODY, "epoch", reason)


def _revoked(writer: Writer, caller: Caller, id: str, on: str, reason: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    log.record(writer, caller, EventKind.TOKENS_REVOKED, on=on, id=id, effective_at=now, payload={"reason": reason})
    return {"tokens_of": id, "revoked_at": now}
