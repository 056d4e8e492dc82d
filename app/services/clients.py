"""Tokens and who holds them: who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, row, settings_of, value
from app.errors import AddressNotAllowed, AgencySuspended, TokenInvalid
from app.rules import policy
from app.rules.caller import Caller
from app.rules.vocabulary import Clearance, Role
from app.security import Claims, Keys, fingerprint, is_secret, issue

_EPOCH: Final = "concat_ws('.', (select number from epoch), coalesce(a.epoch, 0), c.epoch)"
_STANDING: Final = f"""
    select c.id, {_EPOCH} as epoch,
        exists (select from revoked_token r where r.jti = :jti) as revoked,
        exists (select from client_secret s where s.id = :credential and s.client_id = c.id and s.revoked_at is null)
            or exists (select from client_key k where k.id = :credential and k.client_id = c.id
                and k.revoked_at is null) as credential_stands,
        c.role, c.clearance, c.status, c.networks, c.agency, a.suspended, a.office || '@' || a.tier as office,
        a.coordinator, array(select m.body from member m where m.agency = a.code) as bodies,
        a.regions, a.code is not null and a.regions = '{{}}' as national,
        cast(:credential as uuid) as credential, coalesce(
            (select s.expires_at from client_secret s where s.id = :credential),
            (select k.expires_at from client_key k where k.id = :credential)) as credential_ends
    from client c left join agency a on a.code = c.agency where c.id = :id
"""


class GrantRefused(Exception):
    """No token, and the reason in the words of RFC 6749 section 5.2; `status` is the HTTP status."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Granted:
    """A token issued, its life in seconds, and the role it carries."""

    access_token: str
    expires_in: int
    scope: str


async def grant_token(
    writer: Writer, keys: Keys, *, client_id: str, secret: str, scope: str | None, address: str
) -> Granted:
    """Issue an access token for a client's credentials (RFC 6749 section 4.4), for its role or a lesser one.

    Raises GrantRefused, alike for every cause that concerns the credentials.
    """
    refused = GrantRefused("invalid_client", "Client id and secret do not match a usable client.", 401)
    try:
        client = UUID(client_id)
    except ValueError:
        raise refused from None
    if not is_secret(secret):
        raise refused
    used = await row(
        writer,
        "update client_secret s set last_used_at = now() from client c left join agency a on a.code = c.agency"
        " where s.client_id = c.id and c.id = :client and s.fingerprint = :fingerprint and s.revoked_at is null"
        " and s.expires_at > now() and c.status = 'active' and a.suspended is not true"
        f" returning c.role, c.agency, c.networks, c.token_minutes, s.id as credential, {_EPOCH} as epoch",
        client=client,
        fingerprint=fingerprint(keys, secret),
    )
    if used is None or not _from_allowed(used["networks"], address):
        raise refused
    role = next((one for one in policy.included(Role(used["role"])) if one == (scope or used["role"])), None)
    if role is None:
        raise GrantRefused("invalid_scope", "Ask for the client's role or a lesser one that it includes.")
    longest = settings_of(writer).token_minutes
    life = timedelta(minutes=min(longest, used["token_minutes"] or longest))
    token = issue(
        keys,
        client_id=client,
        agency=used["agency"] or "",
        role=role,
        credential=used["credential"],
        epoch=used["epoch"],
        at=datetime.now(UTC),
        life=life,
    )
    return Granted(token, int(life.total_seconds()), role.value)


def _from_allowed(networks: list[str], address: str) -> bool:
    if not networks:
        return True
    try:
        here = ip_address(address)
    except ValueError:
        return False
    return any(here in ip_network(network) for network in networks)


async def identify(
    executor: Executor, claims: Claims, *, address: str, acting_user: str | None, request_id: str
) -> Caller:
    """Who holds a verified token, as the database knows it now; revocation holds on the next request.

    Raises TokenInvalid, AgencySuspended, AddressNotAllowed.
    """
    found = await row(executor, _STANDING, id=claims.client_id, credential=claims.credential, jti=claims.jti)
    if found is None or found["status"] != "active" or (found["agency"] or "") != claims.agency:
        raise TokenInvalid
    if found["revoked"] or not found["credential_stands"] or found["epoch"] != claims.epoch:
        raise TokenInvalid
    if claims.role not in policy.included(Role(found["role"])):
        raise TokenInvalid
    if found["suspended"]:
        raise AgencySuspended
    if not _from_allowed(found["networks"], address):
        raise AddressNotAllowed
    return _caller(found, Role(claims.role), acting_user, request_id, claims.ends)


def _caller(
    found: Row, role: Role, acting_user: str | None, request_id: str, token_ends: datetime | None = None
) -> Caller:
    agency = found["agency"]
    return Caller(
        client_id=found["id"],
        agency=agency,
        role=role,
        cleared=found["clearance"] == Clearance.RAHASIA,
        acts_for=(agency, *found["bodies"]) if agency else (),
        office=found["office"] or "",
        regions=tuple(found["regions"] or ()),
        national=found["national"],
        coordinator=bool(found["coordinator"]),
        acting_user=acting_user,
        request_id=request_id,
        token_ends=token_ends,
        credential=found["credential"],
        credential_ends=found["credential_ends"],
    )


def describe(caller: Caller) -> dict[str, Any]:
    """What `/v1/me` says."""
    return {
        "agency": caller.agency,
        "acts_for": caller.acts_for,
        "client_id": caller.client_id,
        "role": caller.role,
        "clearance": Clearance.RAHASIA if caller.cleared else Clearance.TERBATAS,
        "permissions": policy.effective(caller.role),
        "token_ends": caller.token_ends,
        "credential": caller.credential,
        "credential_ends": caller.credential_ends,
    }


async def caller_of(executor: Executor, agency: str) -> Caller:
    """The loader's own caller: an agency as the register names it, without a client. Raises NotFound."""
    found = await one(
        executor,
        "select null::uuid as id, 'rahasia' as clearance, a.code as agency, a.office || '@' || a.tier as office,"
        " a.coordinator, array(select m.body from member m where m.agency = a.code) as bodies, a.regions,"
        " a.regions = '{}' as national, null::uuid as credential, null::timestamptz as credential_ends"
        " from agency a where a.code = :agency",
        agency=agency,
    )
    return _caller(found, Role.OFFICER, None, "register")


async def has_clients(executor: Executor) -> bool:
    """Whether any client exists: the first run makes some."""
    return bool(await value(executor, "select 1 as there from client limit 1"))
