"""Clients as they are read: who may see one, what is shown of it, and the lock under which it is changed."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row, Writer, row
from app.errors import NotFound, TransitionNotAllowed
from app.rules import policy
from app.rules.caller import Caller
from app.rules.policy import Permission as P
from app.rules.vocabulary import Clearance, ClientStatus, Role, Standing
from app.security import Keys
from app.services.paging import Keyset, Page, binding, read_page
from app.sql import utc

#: RFC 7638: the hash of the required members in their order, without blanks.
THUMBPRINT: Final = """rtrim(translate(encode(sha256(convert_to(concat('{"crv":"', jwk ->> 'crv', '","kty":"',
    jwk ->> 'kty', '","x":"', jwk ->> 'x', '","y":"', jwk ->> 'y', '"}'), 'UTF8')), 'base64'), '+/', '-_'), '=')"""
_COMMON: Final = """'created_by', created_by, 'recorded_at', {recorded_at}, 'expires_at', {expires_at},
    'revoked_at', {revoked_at}, 'last_used_at', {last_used_at}, 'addresses', addresses"""
_INSTANTS: Final = ("recorded_at", "expires_at", "revoked_at", "last_used_at")
_SHOWN: Final = _COMMON.format_map({name: utc(name) for name in _INSTANTS})
#: What is shown of a secret and of a key, as a JSON document.
SECRET: Final = f"jsonb_build_object('id', id, 'last_four', last_four, {_SHOWN})"
KEY: Final = f"jsonb_build_object('id', id, 'kid', kid, 'thumbprint', {THUMBPRINT}, {_SHOWN})"
_COLUMNS: Final = f"""
    c.id, c.agency, c.role, c.purpose, c.contact, c.clearance, c.networks, c.origins, c.token_minutes, c.status,
    c.recorded_at, c.version,
    (select coalesce(jsonb_agg({SECRET} order by id), '[]') from client_secret
        where client_id = c.id and revoked_at is null) as secrets,
    (select coalesce(jsonb_agg({KEY} order by id), '[]') from client_key
        where client_id = c.id and revoked_at is null) as keys
"""
_HELD: Final = "select id, agency, role, clearance, status, epoch, version from client where id = :id"


def own(caller: Caller, agency: str | None) -> set[Standing]:
    """How the caller stands to the clients of an agency."""
    return {Standing.OWN_AGENCY} if agency is not None and agency == caller.agency else set()


def standings(caller: Caller, client: Row) -> set[Standing]:
    """How the caller stands to a client: a token for a lesser role is not the client itself, or it could outgrow it."""
    itself = client["id"] == caller.client_id and client["role"] == caller.role
    return own(caller, client["agency"]) | ({Standing.SELF} if itself else set())


async def held(executor: Executor, caller: Caller, id: UUID, permission: P) -> Row:
    """A client on which the caller has a permission; raises NotFound when it may not see it, PermissionDenied."""
    return _admitted(caller, await row(executor, _HELD, id=id), permission)


async def locked(writer: Writer, caller: Caller, id: UUID, permission: P) -> Row:
    """The same, and nobody else changes the client or its credentials until the end of this transaction."""
    return _admitted(caller, await row(writer, f"{_HELD} for update", id=id), permission)


def _admitted(caller: Caller, client: Row | None, permission: P) -> Row:
    if client is None:
        raise NotFound
    stands = standings(caller, client)
    if client["id"] != caller.client_id and not policy.may(caller.role, P.CLIENT_READ, stands):
        raise NotFound
    policy.require(caller.role, permission, stands)
    return client


def require_clearance(caller: Caller, clearance: str) -> None:
    """Whoever hands out the credentials of a cleared client is cleared, or may clear; raises PermissionDenied."""
    if clearance == Clearance.RAHASIA and not caller.cleared:
        policy.require(caller.role, P.CLIENT_CLEAR, set())


_MOVES: Final = {
    ClientStatus.ACTIVE: (("suspend", "suspension"), ("revoke", "revocation")),
    ClientStatus.SUSPENDED: (("reinstate", "reinstatement"), ("revoke", "revocation")),
    ClientStatus.REVOKED: (),
}


def require_status(client: Row, action: str, *allowed: ClientStatus) -> None:
    """Refuse what a client in this status can't undergo; raises TransitionNotAllowed."""
    status = ClientStatus(client["status"])
    if status not in allowed:
        lawful = [
            {"action": name, "method": "POST", "href": f"/v1/clients/{client['id']}/{place}", "requires": ["reason"]}
            for name, place in _MOVES[status]
        ]
        raise TransitionNotAllowed(action=action, current=status.value, lawful=lawful)


async def show_client(executor: Executor, caller: Caller, id: UUID) -> Row:
    """A client, without its secrets' texts; raises NotFound."""
    found = await shown(executor, id)
    if not policy.may(caller.role, P.CLIENT_READ, own(caller, found["agency"])):
        raise NotFound
    return found


async def shown(executor: Executor, id: UUID) -> Row:
    """The representation of a client; raises NotFound."""
    return await db.one(executor, f"select {_COLUMNS} from client c where c.id = :id", id=id)


async def list_clients(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, agency: str | None
) -> Page:
    """Clients, newest first: all for an operator, else those of the own agency."""
    keyset = Keyset("c.recorded_at", "c.id", True, binding(caller, "clients", agency), keys, limit, cursor)
    where, given = listed(caller, agency)
    return await read_page(executor, keyset, columns=_COLUMNS, source="from client c", where=where, given=given)


def listed(caller: Caller, agency: str | None) -> tuple[list[str], dict[str, Any]]:
    """Which agencies' clients and webhooks are listed: conditions on `agency` (SQL) with their values.

    All for an operator, else those of the own agency; those of one where that is asked for.
    """
    given = {} if caller.role is Role.OPERATOR else {"own": caller.agency}
    if agency is not None:
        given["agency"] = agency
    return [f"agency = :{name}" for name in given], given
