"""Secrets of clients: rotation with overlap, revocation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows, settings_of
from app.models import ClientSecret
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import ClientStatus
from app.schemas.client_credentials import RotationInput
from app.security import Keys, fingerprint, new_secret
from app.services import client_rows, credential_ends, expiry, log

_SHOWN: Final = f"select {client_rows.SECRET} as shown from client_secret"


def add_secret(writer: Writer, keys: Keys, client: UUID, *, by: UUID | None, ends: datetime) -> tuple[UUID, str]:
    """Give a client a fresh secret; returns its id and the secret, of which only the keyed hash is stored."""
    secret = new_secret(settings_of(writer).env)
    kept = ClientSecret(
        client_id=client, fingerprint=fingerprint(keys, secret), last_four=secret[-4:], created_by=by, expires_at=ends
    )
    writer.add(kept)
    return kept.id, secret


async def list_secrets(executor: Executor, caller: Caller, id: UUID) -> list[Row]:
    """All secrets that a client ever had, oldest first; raises NotFound, PermissionDenied."""
    await client_rows.held(executor, caller, id, Permission.SECRET_READ)
    return [one["shown"] for one in await rows(executor, f"{_SHOWN} where client_id = :id order by id", id=id)]


async def rotate(writer: Writer, caller: Caller, keys: Keys, id: UUID, input: RotationInput) -> dict[str, Any]:
    """Give a client a new secret, which works at once and is shown this once; let those before it end.

    The newest of them ends after the overlap (days), unless it ends earlier by itself, be it in a freeze window: its
    successor lives. Any other, and with an overlap of 0 all of them, end now and the tokens fetched with them too; an
    overlap of 0 answers a leak, so it ends the keys as well: whoever had the secret could have registered one.
    Raises NotFound, PermissionDenied, TransitionNotAllowed, ValidationFailed, ExpiryInFreezeWindow.
    """
    client = await client_rows.locked(writer, caller, id, Permission.SECRET_ROTATE)
    client_rows.require_clearance(caller, client["clearance"])
    client_rows.require_status(client, "rotate", ClientStatus.ACTIVE, ClientStatus.SUSPENDED)
    ends = await expiry.lawful_end(writer, input.expires_at)
    retired = await _retire(writer, id, timedelta(days=input.overlap_days))
    keys_ended = [] if input.overlap_days else await credential_ends.end_all(writer, "client_key", id)
    made, secret = add_secret(writer, keys, id, by=caller.client_id, ends=ends)
    await log.record(
        writer,
        caller,
        EventKind.SECRET_ROTATED if retired else EventKind.SECRET_CREATED,
        on="client",
        id=id,
        concerns=client["agency"],
        effective_at=datetime.now(UTC),
        payload={
            "credential": str(made),
            "last_four": secret[-4:],
            "expires_at": ends.astimezone(UTC).isoformat(),
            "overlap_days": input.overlap_days,
            "reason": input.reason,
            "retired": retired,
            "keys_ended": keys_ended,
        },
    )
    await writer.flush()
    found = await one(writer, f"{_SHOWN} where id = :id", id=made)
    return {**found["shown"], "client_id": id, "client_secret": secret}


_RETIRE: Final = """
    with live as (
        select id, row_number() over (order by id desc) as place from client_secret
        where client_id = :client and revoked_at is null and expires_at > now()
    )
    update client_secret s set
        revoked_at = case when live.place = 1 and :overlap > interval '0' then null else now() end,
        expires_at = least(s.expires_at, now() + :overlap)
    from live where live.id = s.id
    returning cast(s.id as text) as credential, s.last_four, s.expires_at
"""


async def _retire(writer: Writer, client: UUID, overlap: timedelta) -> list[dict[str, Any]]:
    """End the live secrets of a client: the newest after the overlap, older ones now."""
    found = await rows(writer, _RETIRE, client=client, overlap=overlap)
    return [{**one, "expires_at": one["expires_at"].astimezone(UTC).isoformat()} for one in found]


async def revoke(writer: Writer, caller: Caller, id: UUID, secret: UUID, reason: str) -> dict[str, Any]:
    """End a secret now, and with it the tokens fetched with it, from the next request on.

    Raises NotFound, PermissionDenied, TransitionNotAllowed.
    """
    client = await client_rows.locked(writer, caller, id, Permission.SECRET_REVOKE)
    kind = EventKind.SECRET_REVOKED
    return await credential_ends.end(
        writer, caller, "client_secret", client, secret, shown=client_rows.SECRET, kind=kind, reason=reason
    )
