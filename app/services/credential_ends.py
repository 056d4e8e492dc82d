"""What ends credentials, be they secrets or keys: one of them, or all that a client has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db import Row, Writer, one, row, rows
from app.errors import NotFound, TransitionNotAllowed
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.vocabulary import Role
from app.services import log, operators


async def end(
    writer: Writer, caller: Caller, table: str, client: Row, id: UUID, *, shown: str, kind: EventKind, reason: str
) -> dict[str, Any]:
    """End a credential of a locked client now, and from the next request on the tokens fetched with it.

    Raises NotFound, TransitionNotAllowed when it was revoked before, ValidationFailed for the last of all operators'.
    """
    asked = f"select revoked_at from {table} where client_id = :client and id = :id"
    found = await row(writer, asked, client=client["id"], id=id)
    if found is None:
        raise NotFound
    if found["revoked_at"] is not None:
        raise TransitionNotAllowed(action="revoke", current="revoked", lawful=[])
    ended: Row = await one(
        writer, f"update {table} set revoked_at = now() where id = :id returning {shown} as shown", id=id
    )
    if client["role"] == Role.OPERATOR:
        await operators.require_one_left(writer)
    await log.record(
        writer,
        caller,
        kind,
        on="client",
        id=client["id"],
        concerns=client["agency"],
        effective_at=datetime.now(UTC),
        payload={"credential": str(id), "reason": reason},
    )
    return dict(ended["shown"])


async def end_all(writer: Writer, table: str, client: UUID) -> list[str]:
    """End every credential of this kind that a client still has; returns their ids."""
    ended = f"update {table} set revoked_at = now() where client_id = :client and revoked_at is null returning id"
    return [str(one["id"]) for one in await rows(writer, ended, client=client)]
