"""What happens to clients: created, changed, suspended, reinstated, revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db import Row, Writer
from app.errors import PermissionDenied
from app.models import Client
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import ClientStatus, Role
from app.schemas.clients import ClientInput, ClientPatch
from app.security import Keys
from app.services import client_rows, client_secrets, credential_ends, expiry, log, operators, records
from app.services.versions import check_version, compare_and_set


async def create_client(writer: Writer, caller: Caller, keys: Keys, input: ClientInput) -> dict[str, Any]:
    """Create a client with its first secret, which is shown this once.

    Raises PermissionDenied, ValidationFailed.
    """
    agency = input.agency if input.role is Role.OPERATOR else input.agency or caller.agency
    policy.require(caller.role, Permission.CLIENT_CREATE, client_rows.own(caller, agency))
    client_rows.require_clearance(caller, input.clearance)
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
        origins=input.origins,
        token_minutes=input.token_minutes,
        created_by=caller.client_id,
    )
    writer.add(client)
    ends = await expiry.lawful_end(writer, None)
    _, secret = client_secrets.add_secret(writer, keys, client.id, by=caller.client_id, ends=ends)
    said = {"agency": agency, "role": input.role, "clearance": input.clearance}
    await _record(writer, caller, EventKind.CLIENT_CREATED, {"id": client.id, "agency": agency}, (None, 1), said)
    await writer.flush()
    return {**await client_rows.shown(writer, client.id), "client_id": client.id, "client_secret": secret}


async def update_client(writer: Writer, caller: Caller, id: UUID, version: int, patch: ClientPatch) -> Row:
    """Change a client (merge patch); what it may do changes with its next request.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ValidationFailed.
    """
    client = await client_rows.locked(writer, caller, id, Permission.CLIENT_UPDATE)
    check_version(client["version"], version)
    client_rows.require_status(client, "update", ClientStatus.ACTIVE, ClientStatus.SUSPENDED)
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    if changed.get("clearance", client["clearance"]) != client["clearance"]:
        client_rows.require_clearance(caller, changed["clearance"])
    if (changed.get("role", client["role"]) == Role.OPERATOR) != (client["role"] == Role.OPERATOR):
        if caller.role is not Role.OPERATOR:
            raise PermissionDenied(permission=Permission.CLIENT_UPDATE.value)
        raise records.refused(
            "/role",
            "agency_and_role",
            "Nobody becomes an operator, and no operator becomes anything else: create another client.",
            "Klien tidak dapat menjadi operator atau sebaliknya: buatlah klien lain.",
        )
    if "networks" in changed:
        changed["networks"] = [str(network) for network in changed["networks"]]
    new = (await compare_and_set(writer, "client", {"id": id}, version, changed))["version"]
    await _record(writer, caller, EventKind.CLIENT_UPDATED, client, (version, new), {"changed": sorted(changed)})
    await writer.flush()
    return await client_rows.shown(writer, id)


async def suspend(writer: Writer, caller: Caller, id: UUID, version: int, reason: str) -> Row:
    """Shut a client out from its next request on, until it is reinstated.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ValidationFailed.
    """
    client = await client_rows.locked(writer, caller, id, Permission.CLIENT_SUSPEND)
    check_version(client["version"], version)
    client_rows.require_status(client, "suspend", ClientStatus.ACTIVE)
    await _require_dispensable(writer, caller, client)
    return await _turn(writer, caller, client, ClientStatus.SUSPENDED, EventKind.CLIENT_SUSPENDED, reason)


async def reinstate(writer: Writer, caller: Caller, id: UUID, version: int, reason: str) -> Row:
    """Let a suspended client in again: with its secrets, but with no token of before.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed.
    """
    client = await client_rows.locked(writer, caller, id, Permission.CLIENT_SUSPEND)
    check_version(client["version"], version)
    client_rows.require_status(client, "reinstate", ClientStatus.SUSPENDED)
    return await _turn(writer, caller, client, ClientStatus.ACTIVE, EventKind.CLIENT_REINSTATED, reason)


async def revoke(writer: Writer, caller: Caller, id: UUID, version: int, reason: str) -> Row:
    """End a client for good, with its secrets, keys and tokens.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ValidationFailed.
    """
    client = await client_rows.locked(writer, caller, id, Permission.CLIENT_REVOKE)
    check_version(client["version"], version)
    client_rows.require_status(client, "revoke", ClientStatus.ACTIVE, ClientStatus.SUSPENDED)
    await _require_dispensable(writer, caller, client)
    for table in ("client_secret", "client_key"):
        await credential_ends.end_all(writer, table, id)
    return await _turn(writer, caller, client, ClientStatus.REVOKED, EventKind.CLIENT_REVOKED, reason)


async def _turn(writer: Writer, caller: Caller, client: Row, status: ClientStatus, kind: EventKind, reason: str) -> Row:
    """Give a locked client its new status; each turn begins an epoch, so that no token outlives it."""
    key, version = client["id"], client["version"]
    changed = {"status": status, "epoch": client["epoch"] + 1}
    new = (await compare_and_set(writer, "client", {"id": key}, version, changed))["version"]
    await _record(writer, caller, kind, client, (version, new), {"reason": reason})
    await writer.flush()
    return await client_rows.shown(writer, key)


async def _require_dispensable(writer: Writer, caller: Caller, client: Row) -> None:
    """Refuse to shut out the caller itself, or the last operator who can get in; raises ValidationFailed."""
    if client["id"] == caller.client_id:
        raise records.refused(
            "",
            "itself",
            "A client can't do this to itself; let another one.",
            "Klien tidak dapat melakukannya pada dirinya sendiri.",
        )
    if client["role"] != Role.OPERATOR or client["status"] != ClientStatus.ACTIVE:
        return
    await operators.require_one_left(writer, without=client["id"])


async def _record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    client: Row,
    versions: tuple[int | None, int],
    payload: dict[str, Any],
) -> None:
    await log.record(
        writer,
        caller,
        kind,
        on="client",
        id=client["id"],
        effective_at=datetime.now(UTC),
        versions=versions,
        payload=payload,
        concerns=client["agency"],
    )
