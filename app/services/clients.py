"""Clients and tokens: who is asking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final
from uuid import UUID

from app import db
from app.claims import Claims
from app.db import Executor, Row, Writer, one, row, settings_of, value
from app.errors import AddressNotAllowed, AgencySuspended, NotFound, PermissionDenied, TokenInvalid
from app.models import Client, ClientSecret
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Clearance, Role, Standing
from app.schemas.clients import ClientInput
from app.security import Keys, fingerprint, new_secret
from app.services import log, records
from app.services.paging import Keyset, Page, binding, without_place

_COLUMNS: Final = f"""
    c.id, c.agency, c.role, c.purpose, c.contact, c.clearance, c.networks, c.status, c.recorded_at, c.version,
    coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'last_four', s.last_four,
        'expires_at', {db.utc("s.expires_at")}, 'last_used_at', {db.utc("s.last_used_at")}) order by s.id)
        from client_secret s where s.client_id = c.id and s.revoked_at is null), '[]') as secrets
"""
#: The epochs that a token of client `c`, agency `a`, is issued in.
EPOCH: Final = "concat_ws('.', (select number from epoch), coalesce(a.epoch, 0), c.epoch)"
#: One round trip says who holds a token as the database knows it now, and sets what its transaction may see.
_ENTER: Final = "select * from app.enter(:id, :credential, :jti, :role, :epoch)"


async def claim(writer: Writer, client: UUID) -> None:
    """Let a transaction see the rows of this one client, which is yet to prove who it is."""
    await value(writer, "select app.claim(:client)", client=client)


def from_allowed(networks: list[str], address: str) -> bool:
    """Whether a client may be used from an address; no networks: from any."""
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
    """Who holds a verified token, as the database knows it now; the transaction sees from here on what that one may.

    Revocation of token, credential, client or agency holds on the next request.
    Raises TokenInvalid, AgencySuspended, AddressNotAllowed.
    """
    found = await row(
        executor,
        _ENTER,
        id=claims.client_id,
        credential=claims.credential,
        jti=claims.jti,
        role=claims.role,
        epoch=claims.epoch,
    )
    if found is None or not found["stands"] or (found["agency"] or "") != claims.agency:
        raise TokenInvalid
    if claims.role not in policy.included(Role(found["role"])):
        raise TokenInvalid
    if found["suspended"]:
        raise AgencySuspended
    if not from_allowed(found["networks"], address):
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
        national=found["nationwide"],
        coordinator=bool(found["coordinator"]),
        acting_user=acting_user,
        request_id=request_id,
        token_ends=token_ends,
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
        "credential_ends": caller.credential_ends,
    }


def _own(caller: Caller, agency: str | None) -> set[Standing]:
    return {Standing.OWN_AGENCY} if agency is not None and agency == caller.agency else set()


async def create_client(writer: Writer, caller: Caller, keys: Keys, input: ClientInput) -> dict[str, Any]:
    """Create a client with its first secret, which is shown this once.

    Raises PermissionDenied, ValidationFailed.
    """
    agency = input.agency if input.role is Role.OPERATOR else input.agency or caller.agency
    policy.require(caller.role, Permission.CLIENT_CREATE, _own(caller, agency))
    if input.clearance is Clearance.RAHASIA and not caller.cleared:
        policy.require(caller.role, Permission.CLIENT_CLEAR, set())
    if input.role is Role.OPERATOR and caller.role is not Role.OPERATOR:
        raise PermissionDenied(permission=Permission.CLIENT_CREATE.value)
    if (agency is None) != (input.role is Role.OPERATOR):
        raise records.refused(
            "/agency",
            "agency_and_role",
            "Operators, and only they, belong to no agency.",
            "Hanya operator yang tidak memiliki instansi.",
        )
    await records.require_known(writer, agencies={"/agency": agency} if agency else {})
    client = Client(
        agency=agency,
        role=input.role,
        purpose=input.purpose,
        contact=input.contact,
        clearance=input.clearance,
        networks=[str(network) for network in input.networks],
        created_by=caller.client_id,
    )
    secret = add_secret(writer, keys, client, by=caller.client_id)
    log.record(
        writer,
        caller,
        EventKind.CLIENT_CREATED,
        on="client",
        id=client.id,
        effective_at=datetime.now(UTC),
        versions=(None, 1),
        payload={"agency": agency, "role": input.role, "clearance": input.clearance},
    )
    await writer.flush()
    shown = await row(writer, f"select {_COLUMNS} from client c where c.id = :id", id=client.id)
    return {**(shown or {}), "client_id": client.id, "client_secret": secret}


def add_secret(writer: Writer, keys: Keys, client: Client, *, by: UUID | None) -> str:
    """Give a client a fresh secret and return it; only its keyed hash is stored."""
    secret = new_secret(settings_of(writer).env)
    writer.add(client)
    writer.add(
        ClientSecret(
            client_id=client.id,
            fingerprint=fingerprint(keys, secret),
            last_four=secret[-4:],
            created_by=by,
            expires_at=datetime.now(UTC) + timedelta(days=settings_of(writer).secret_days),
        )
    )
    return secret


async def show_client(executor: Executor, caller: Caller, id: UUID) -> Row:
    """A client, without its secrets' texts; raises NotFound."""
    found = await row(executor, f"select {_COLUMNS} from client c where c.id = :id", id=id)
    if found is None or not policy.may(caller.role, Permission.CLIENT_READ, _own(caller, found["agency"])):
        raise NotFound
    return found


async def list_clients(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, agency: str | None
) -> Page:
    """Clients, newest first: all for an operator, else those of the own agency."""
    everyone = caller.role is Role.OPERATOR
    keyset = Keyset("c.recorded_at", "c.id", True, binding(caller, "clients", agency), keys, limit, cursor)
    after, tail, place = keyset.clauses()
    where = " and ".join(
        ["true" if everyone else "c.agency = :own", "true" if agency is None else "c.agency = :agency", after]
    )
    given = {"own": caller.agency} if not everyone else {}
    found = await db.rows(
        executor,
        f"select {_COLUMNS}, c.recorded_at as _key, c.id as _id from client c where {where} {tail}",
        **given,
        **({} if agency is None else {"agency": agency}),
        **place,
    )
    items, following = keyset.page(found, without_place)
    return Page.of(items, following)


async def caller_of(executor: Executor, agency: str) -> Caller:
    """The loader's own caller: an agency as the register names it, without a client. Raises NotFound."""
    found = await one(
        executor,
        "select null::uuid as id, 'rahasia' as clearance, a.code as agency, a.office || '@' || a.tier as office,"
        " a.coordinator, array(select m.body from member m where m.agency = a.code) as bodies, a.regions,"
        " a.regions = '{}' as nationwide, null::timestamptz as credential_ends from agency a where a.code = :agency",
        agency=agency,
    )
    return _caller(found, Role.OFFICER, None, "register")


async def has_clients(executor: Executor) -> bool:
    """Whether any client exists: the first run makes some."""
    return bool(await value(executor, "select 1 as there from client limit 1"))
