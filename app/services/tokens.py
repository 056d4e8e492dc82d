"""Access tokens: granted (RFC 6749), introspected (RFC 7662), revoked (RFC 7009), and at last forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.claims import LEEWAY, Claims
from app.db import Database, Executor, Writer, value
from app.errors import AddressNotAllowed, AgencySuspended, TokenInvalid
from app.rules import policy
from app.rules.facts import EventKind
from app.rules.vocabulary import Role
from app.security import Keys, issue
from app.services import callers, log, sequencer, signing
from app.services.authentication import GrantRefused, Known

_INACTIVE: Final[dict[str, Any]] = {"active": False}


@dataclass(frozen=True, slots=True)
class Granted:
    """A token issued, its life in seconds, and the role it carries."""

    access_token: str
    expires_in: int
    scope: str


async def grant(database: Database, keys: Keys, known: Known, *, scope: str | None) -> Granted:
    """Issue an access token to a client that proved who it is, for its role or a lesser one (RFC 6749 section 4.4).

    It lives as long as the service or the client allows, whichever is shorter. Raises GrantRefused.
    """
    role = next((one for one in policy.included(known.role) if one == (scope or known.role)), None)
    if role is None:
        raise GrantRefused("invalid_scope", "Ask for the client's role or a lesser one that it includes.")
    await signing.keep_up(database, keys, epoch=known.epoch)
    longest = database.settings.token_minutes
    life = timedelta(minutes=min(longest, known.token_minutes or longest))
    token = issue(
        keys,
        client_id=known.id,
        agency=known.agency or "",
        role=role,
        credential=known.credential,
        epoch=known.epoch,
        at=datetime.now(UTC),
        life=life,
    )
    return Granted(token, int(life.total_seconds()), role.value)


async def introspect(database: Database, keys: Keys, known: Known, token: str) -> dict[str, Any]:
    """What a token is good for now, told to its own agency and to operators; anybody else hears that it is not active.

    It is held against the database exactly as a request with it would be, but for the address it comes from.
    """
    try:
        claims = await signing.verified(database, keys, token)
    except TokenInvalid:
        return _INACTIVE
    if known.role is not Role.OPERATOR and claims.agency != known.agency:
        return _INACTIVE
    async with database.reading() as reader:
        if not await _stands(reader, claims):
            return _INACTIVE
    return {
        "active": True,
        "scope": claims.role,
        "client_id": claims.client_id,
        "token_type": "Bearer",
        "exp": int(claims.ends.timestamp()),
        "iat": int(claims.begins.timestamp()),
        "sub": claims.client_id,
        "aud": keys.issuer,
        "iss": keys.issuer,
        "jti": claims.jti,
        "agency": claims.agency or None,
    }


async def _stands(executor: Executor, claims: Claims) -> bool:
    try:
        await callers.identify(executor, claims, address="", acting_user=None, request_id="introspection")
    except AddressNotAllowed:
        return True  # looked at last: only the place is wrong, for this is not the place it will be used from
    except (TokenInvalid, AgencySuspended):
        return False
    return True


async def revoke(database: Database, keys: Keys, known: Known, token: str, *, request_id: str) -> str | None:
    """Revoke the client's own token, from the next request on; what is no good token is left alone (RFC 7009).

    Returns the receipt for the fact, or None where there was nothing to revoke.
    Raises GrantRefused for a token of another client, whose holder must know that it still works.
    """
    try:
        claims = await signing.verified(database, keys, token)
    except TokenInvalid:
        return None
    if claims.client_id != known.id:
        raise GrantRefused("unauthorized_client", "This token was issued to another client, which alone may revoke it.")
    async with database.writing() as writer:
        await callers.claim(writer, known.id)
        new = await value(
            writer,
            "insert into revoked_token (jti, client_id, expires_at) values (:jti, :client, :until)"
            " on conflict do nothing returning jti",
            jti=claims.jti,
            client=known.id,
            until=claims.ends + LEEWAY,
        )
        if new is not None:
            await log.record(
                writer,
                known.caller(request_id),
                EventKind.TOKEN_REVOKED,
                on="token",
                id=claims.jti,
                effective_at=datetime.now(UTC),
                payload={"ends": claims.ends.isoformat()},
            )
        return await sequencer.receipt(writer, request_id=request_id)


async def forget_ended(writer: Writer) -> int:
    """Delete revoked tokens and spent assertions that have ended; returns how many."""
    # Minutes after their end: a process whose clock is behind the database's must not find them good again.
    gone: int = await value(
        writer,
        "with tokens as (delete from revoked_token where expires_at < now() - interval '5 minutes' returning 1),"
        " assertions as (delete from used_assertion where expires_at < now() - interval '5 minutes' returning 1)"
        " select (select count(*) from tokens) + (select count(*) from assertions) as gone",
    )
    return gone
