"""Public keys of clients (RFC 7523): registered, listed, revoked. Nothing secret is stored here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows
from app.models import ClientKey
from app.public_keys import public_jwk
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import ClientStatus
from app.schemas.client_credentials import KeyInput, PublicJwk
from app.services import client_rows, credential_ends, expiry, log, records

#: More live keys than a rotation in several places needs would only be forgotten.
MOST: Final = 5
_SHOWN: Final = f"select {client_rows.KEY} as shown from client_key"


async def list_keys(executor: Executor, caller: Caller, id: UUID) -> list[Row]:
    """All keys that a client ever had, oldest first; raises NotFound, PermissionDenied."""
    await client_rows.held(executor, caller, id, Permission.KEY_READ)
    return [one["shown"] for one in await rows(executor, f"{_SHOWN} where client_id = :id order by id", id=id)]


async def register(writer: Writer, caller: Caller, id: UUID, input: KeyInput) -> dict[str, Any]:
    """Register a public key with which the client signs its assertions from now on.

    A key or kid of this client is never taken twice, lest a revoked one come back.
    Raises NotFound, PermissionDenied, TransitionNotAllowed, ValidationFailed, ExpiryInFreezeWindow.
    """
    client = await client_rows.locked(writer, caller, id, Permission.KEY_REGISTER)
    client_rows.require_clearance(caller, client["clearance"])
    client_rows.require_status(client, "register", ClientStatus.ACTIVE, ClientStatus.SUSPENDED)
    jwk = _sound(input.jwk)
    await _require_new(writer, id, jwk)
    ends = await expiry.lawful_end(writer, input.expires_at)
    key = ClientKey(client_id=id, kid=jwk["kid"], jwk=jwk, created_by=caller.client_id, expires_at=ends)
    writer.add(key)
    await log.record(
        writer,
        caller,
        EventKind.KEY_REGISTERED,
        on="client",
        id=id,
        concerns=client["agency"],
        effective_at=datetime.now(UTC),
        payload={"credential": str(key.id), "kid": jwk["kid"], "expires_at": ends.astimezone(UTC).isoformat()},
    )
    await writer.flush()
    return dict((await one(writer, f"{_SHOWN} where id = :id", id=key.id))["shown"])


def _sound(given: PublicJwk) -> dict[str, str]:
    try:
        return public_jwk(given.model_dump())
    except ValueError:
        raise records.refused(
            "/jwk", "jwk", "This is no point of P-256 in canonical base64url.", "Ini bukan titik P-256 yang kanonis."
        ) from None


async def _require_new(writer: Writer, client: UUID, jwk: dict[str, str]) -> None:
    known = await rows(
        writer,
        "select kid, jwk ->> 'x' as x, jwk ->> 'y' as y, revoked_at is null and expires_at > now() as live"
        " from client_key where client_id = :id",
        id=client,
    )
    if any((one["x"], one["y"]) == (jwk["x"], jwk["y"]) for one in known):
        raise records.duplicate("/jwk")
    if any(one["kid"] == jwk["kid"] for one in known):
        raise records.duplicate("/jwk/kid")
    if sum(one["live"] for one in known) >= MOST:
        raise records.refused(
            "/jwk", "too_many", f"A client has {MOST} live keys at most: revoke one first.",
            f"Sebuah klien paling banyak memiliki {MOST} kunci aktif: cabut satu dahulu.",
        )  # fmt: skip


async def revoke(writer: Writer, caller: Caller, id: UUID, key: UUID, reason: str) -> dict[str, Any]:
    """End a key now, and with it the tokens fetched with it, from the next request on.

    Raises NotFound, PermissionDenied, TransitionNotAllowed.
    """
    client = await client_rows.locked(writer, caller, id, Permission.KEY_REVOKE)
    kind = EventKind.KEY_REVOKED
    return await credential_ends.end(
        writer, caller, "client_key", client, key, shown=client_rows.KEY, kind=kind, reason=reason
    )
