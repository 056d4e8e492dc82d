"""Clients over HTTP, and who you are."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.client_credentials import ReasonInput
from app.schemas.clients import Client, ClientInput, ClientPage, ClientPatch, Me, NewClient
from app.schemas.types import AgencyCode
from app.services import callers, client_moves, client_rows

router = guarded(prefix="/v1", tags=["access"])

_CONDITIONAL = (NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed)


@router.get("/me", operation_id="showMe", summary="Who am I?", response_model=Me, dependencies=[needs(P.SELF_READ)])
async def show_me(request: Request, caller: Caller) -> Response:
    """Your agency and the bodies it acts for, your client, role and permissions; when token and credential end."""
    return answers.read(request, callers.describe(caller))


@router.get(
    "/clients",
    operation_id="listClients",
    summary="List clients",
    response_model=ClientPage,
    dependencies=[needs(P.CLIENT_READ, CursorMismatch)],
)
async def list_clients(
    request: Request, reader: Reader, caller: Caller, keys: Keys, page: Page, agency: AgencyCode | None = None
) -> Response:
    """The clients of your agency, or all of them for an operator."""
    found = await client_rows.list_clients(reader, caller, keys, limit=page.limit, cursor=page.cursor, agency=agency)
    return answers.page(request, found)


@router.post(
    "/clients",
    operation_id="createClient",
    summary="Create a client",
    status_code=201,
    response_model=NewClient,
    dependencies=[needs(P.CLIENT_CREATE)],
)
async def create_client(
    request: Request,
    writer: Writer,
    caller: Caller,
    keys: Keys,
    input: ClientInput,
) -> Response:
    """An operator makes clients for any agency, an agency_admin for its own. The secret is shown this once."""
    found = await client_moves.create_client(writer, caller, keys, input)
    return answers.written(request, found, status=201, location=f"/v1/clients/{found['id']}")


@router.get(
    "/clients/{id}",
    operation_id="showClient",
    summary="Show a client",
    response_model=Client,
    dependencies=[needs(P.CLIENT_READ, NotFound)],
)
async def show_client(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """A client with its secrets, by their last four characters, and its keys, by their thumbprints."""
    return answers.read(request, await client_rows.show_client(reader, caller, id))


@router.patch(
    "/clients/{id}",
    operation_id="updateClient",
    summary="Change a client",
    response_model=Client,
    dependencies=[needs(P.CLIENT_UPDATE, *_CONDITIONAL)],
)
async def update_client(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, patch: ClientPatch
) -> Response:
    """A merge patch: purpose, contact, role, clearance, networks, origins, life of tokens. It holds at once."""
    return answers.written(request, await client_moves.update_client(writer, caller, id, version, patch))


@router.post(
    "/clients/{id}/suspension",
    operation_id="suspendClient",
    summary="Suspend a client",
    response_model=Client,
    dependencies=[needs(P.CLIENT_SUSPEND, *_CONDITIONAL)],
)
async def suspend_client(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, input: ReasonInput
) -> Response:
    """It is refused from its next request on, until it is reinstated. Nobody suspends itself or the last operator."""
    return answers.written(request, await client_moves.suspend(writer, caller, id, version, input.reason))


@router.post(
    "/clients/{id}/reinstatement",
    operation_id="reinstateClient",
    summary="Reinstate a client",
    response_model=Client,
    dependencies=[needs(P.CLIENT_SUSPEND, *_CONDITIONAL)],
)
async def reinstate_client(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, input: ReasonInput
) -> Response:
    """Its secrets and keys work again; tokens of before the suspension stay dead."""
    return answers.written(request, await client_moves.reinstate(writer, caller, id, version, input.reason))


@router.post(
    "/clients/{id}/revocation",
    operation_id="revokeClient",
    summary="Revoke a client for good",
    response_model=Client,
    dependencies=[needs(P.CLIENT_REVOKE, *_CONDITIONAL)],
)
async def revoke_client(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, input: ReasonInput
) -> Response:
    """It ends with its secrets, keys and tokens, and never comes back. Nobody revokes itself or the last operator."""
    return answers.written(request, await client_moves.revoke(writer, caller, id, version, input.reason))
