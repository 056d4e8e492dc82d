"""Which client is asking at /oauth2/*: by its secret, or by an assertion that it signed itself (RFC 7523)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from app.assertions import Assertion, holds, read_assertion
from app.claims import LEEWAY
from app.db import Row, Writer, row, rows, settings_of, value
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.vocabulary import Role
from app.security import Keys, fingerprint, is_secret
from app.services import locks, log
from app.services.callers import claim, from_allowed
from app.services.locks import Lock

_WHO: Final = """
    c.id, c.agency, c.role, c.networks, c.token_minutes, app.epochs(a.epoch, c.epoch) as epoch,
    c.status = 'active' and a.suspended is not true as usable
"""
_HELD: Final = "join client c on c.id = held.client_id left join agency a on a.code = c.agency"
_ENDED: Final = "held.revoked_at is not null as revoked, held.expires_at <= now() as expired"
_BY_SECRET: Final = f"""
    select held.id as credential, {_ENDED}, {_WHO} from client_secret held {_HELD}
    where c.id = :client and held.fingerprint = :fingerprint
"""
_BY_KEY: Final = f"""
    select held.id as credential, held.jwk, {_ENDED}, {_WHO} from client_key held {_HELD}
    where c.id = :client and held.kid = :kid order by held.revoked_at is null desc, held.id desc limit 5
"""
_USE: Final = """
    set last_used_at = now(), addresses = (array[cast(:address as text)] || array_remove(addresses, :address))[1:5]
    where id = :id and revoked_at is null returning id
"""
_SPEND: Final = """
    insert into used_assertion (client_id, jti, expires_at) values (:client, :jti, :until)
    on conflict do nothing returning jti
"""
_QUIET: Final = timedelta(minutes=1)

_Kind = Literal["secret", "key"]


class GrantRefused(Exception):
    """No token, and the reason in the words of RFC 6749 section 5.2; `status` is the HTTP status."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client shows: its id and secret, or an assertion."""

    client_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Known:
    """A client that proved who it is, with which credential, and in which epochs."""

    id: UUID
    agency: str | None
    role: Role
    credential: UUID
    epoch: str
    token_minutes: int | None

    def caller(self, request_id: str) -> Caller:
        """The client as the log names it."""
        return Caller(self.id, self.agency, self.role, request_id=request_id)


def named(presented: Presented, *, audiences: frozenset[str]) -> UUID | None:
    """The client in whose name this is presented, proved or not."""
    try:
        if presented.assertion is None:
            return UUID(presented.client_id or "")
        return read_assertion(presented.assertion, audiences=audiences, at=datetime.now(UTC)).client_id
    except ValueError:
        return None


async def authenticate(
    writer: Writer, keys: Keys, presented: Presented, *, address: str, request_id: str
) -> Known | None:
    """Who presents this, noted with its address; None for every cause alike.

    The credential of an assertion is spent whatever comes after. The use of one that has ended is a fact, once a minute
    for each address, and locks nobody out.
    """
    if presented.assertion is None:
        return await _by_secret(writer, keys, presented, address, request_id)
    try:
        audiences = settings_of(writer).audiences
        assertion = read_assertion(presented.assertion, audiences=audiences, at=datetime.now(UTC))
    except ValueError:
        return None
    if presented.client_id not in {None, str(assertion.client_id)}:
        return None
    return await _by_key(writer, assertion, address, request_id)


async def _by_secret(writer: Writer, keys: Keys, presented: Presented, address: str, request_id: str) -> Known | None:
    try:
        client = UUID(presented.client_id or "")
    except ValueError:
        return None
    if not is_secret(presented.secret or ""):
        return None
    await claim(writer, client)
    found = await row(writer, _BY_SECRET, client=client, fingerprint=fingerprint(keys, presented.secret or ""))
    return await _admit(writer, found, "secret", address, request_id) if found else None


async def _by_key(writer: Writer, assertion: Assertion, address: str, request_id: str) -> Known | None:
    await claim(writer, assertion.client_id)
    candidates = await rows(writer, _BY_KEY, client=assertion.client_id, kid=assertion.kid)
    found = next((one for one in candidates if _holds(assertion, one)), None)
    known = await _admit(writer, found, "key", address, request_id) if found else None
    until = assertion.ends + LEEWAY
    if known and await value(writer, _SPEND, client=known.id, jti=assertion.jti, until=until) is None:
        return None
    return known


def _holds(assertion: Assertion, candidate: Row) -> bool:
    try:
        return holds(assertion, candidate["jwk"])
    except (ValueError, KeyError, TypeError):  # a key that was registered and is none
        return False


async def _admit(writer: Writer, found: Row, kind: _Kind, address: str, request_id: str) -> Known | None:
    """The client of a credential that is right, if it may be used from here, now; note the use, or the misuse."""
    role = Role(found["role"])
    known = Known(found["id"], found["agency"], role, found["credential"], found["epoch"], found["token_minutes"])
    if found["revoked"] or found["expired"]:
        ended = "revoked" if found["revoked"] else "expired"
        await _report(writer, known, kind, address=address, ended=ended, request_id=request_id)
        return None
    if not found["usable"] or not from_allowed(found["networks"], address):
        return None
    used = await value(writer, f"update client_{kind} {_USE}", id=known.credential, address=address)
    return known if used else None


async def _report(writer: Writer, known: Known, kind: _Kind, *, address: str, ended: str, request_id: str) -> None:
    fact = EventKind.SECRET_MISUSED if kind == "secret" else EventKind.KEY_MISUSED
    name = f"misused:{known.credential}:{address}"
    # whoever comes at the same moment would say the same
    if not await locks.attempt(writer, Lock.MISUSE, of=name):
        return
    now = datetime.now(UTC)
    used = {"credential": str(known.credential), "address": address}
    if await log.said(writer, fact, on="client", id=known.id, since=now - _QUIET, of=used):
        return
    await log.record(
        writer,
        known.caller(request_id),
        fact,
        on="client",
        id=known.id,
        effective_at=now,
        payload={**used, "ended": ended},
    )
