"""Who is asking: the caller behind a token, as the database knows it now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any, Final
from uuid import UUID

from app.claims import Claims
from app.db import Executor, Reader, Row, Writer, one, opened_by, row, value
from app.errors import AddressNotAllowed, AgencySuspended, TokenInvalid
from app.rules import policy
from app.rules.caller import Caller
from app.rules.vocabulary import Clearance, Role
from app.sql import quoted

#: One round trip says who holds a token as the database knows it now, and sets what its transaction may see.
_ENTER: Final = (
    "select e.*, now() as began, md5(cast(e as text)) as digest from app.enter(:id, :credential, :jti, :role, :epoch) e"
)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A verified token as a request brought it: enough to ask later, without the request, who holds it then."""

    claims: Claims
    address: str
    request_id: str


async def claim(writer: Writer, client: UUID | None) -> None:
    """Let a transaction see the rows of this one client, which is yet to prove who it is, or of none."""
    writer.info["began"] = await value(writer, "select now() from app.claim(:client)", client=client)


def from_allowed(networks: list[str], address: str) -> bool:
    """Whether a client may be used from an address; no networks: from any."""
    if not networks:
        return True
    try:
        here = ip_address(address)
    except ValueError:
        return False
    return any(here in ip_network(network) for network in networks)


async def identify_again(executor: Executor, bearer: Bearer) -> Caller:
    """Who holds that token now; raises TokenInvalid, AgencySuspended, AddressNotAllowed."""
    address, request_id = bearer.address, bearer.request_id
    return await identify(executor, bearer.claims, address=address, acting_user=None, request_id=request_id)


async def identify(
    executor: Executor, claims: Claims, *, address: str, acting_user: str | None, request_id: str
) -> Caller:
    """Who holds a verified token, as the database knows it now; the transaction sees from here on what that one may.

    Revocation of token, credential, client or agency holds on the next request.
    Raises TokenInvalid, AgencySuspended, AddressNotAllowed.
    """
    found = await _entered(executor, claims)
    if found is not None and isinstance(executor, Writer):
        executor.info["began"] = found["began"]
    if found is None or not found["stands"] or (found["agency"] or "") != claims.agency:
        raise TokenInvalid
    if claims.role not in policy.included(Role(found["role"])):
        raise TokenInvalid
    if found["suspended"]:
        raise AgencySuspended
    if not from_allowed(found["networks"], address):
        raise AddressNotAllowed
    return _caller(found, Role(claims.role), acting_user, request_id, claims.ends)


async def _entered(executor: Executor, claims: Claims) -> Row | None:
    """Let a transaction see what the holder of a token may, and return the database's word on that one.

    Where a reading begins with it, and its process was told before, the database only says whether that still holds.
    """
    given = {
        "id": claims.client_id,
        "credential": claims.credential,
        "jti": claims.jti,
        "role": claims.role,
        "epoch": claims.epoch,
    }
    token, known = tuple(given.values()), executor.info["database"].known
    told: Row | None = known.get(token)
    if told is not None and isinstance(executor, Reader) and executor.opening is not None:
        again = ", ".join(quoted(one) for one in (*token, told["digest"]))
        if await opened_by(executor, f"select app.enter_again({again})"):
            return told
    found = await row(executor, _ENTER, **given)
    if found is not None:
        known[token] = found
    return found


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
        national=found["nationwide"],
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
        " a.coordinator, array(select m.body from member m join agency b on b.code = m.body"
        "  where m.agency = a.code and not b.suspended) as bodies, a.regions,"
        " a.regions = '{}' as nationwide, null::uuid as credential, null::timestamptz as credential_ends"
        " from agency a where a.code = :agency",
        agency=agency,
    )
    return _caller(found, Role.OFFICER, None, "register")


async def hearer_of(executor: Executor, agency: str, *, clearance: str) -> Caller:
    """Whoever listens for an agency without a client, with this clearance, as one who reads. Raises NotFound."""
    found = await caller_of(executor, agency)
    return replace(found, role=Role.VIEWER, cleared=clearance == Clearance.RAHASIA, request_id="webhook")
