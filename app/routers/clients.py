"""Clients over HTTP, and who you are."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from app import answers
from app.deps import Caller, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.clients import Client, ClientInput, ClientPage, Me, NewClient
from app.schemas.types import AgencyCode
from app.services import clients

router = guarded(prefix="/v1", tags=["access"])


@router.get("/me", operation_id="showMe", summary="Who am I?", response_model=Me, dependencies=[needs(P.SELF_READ)])
async def show_me(request: Request, caller: Caller) -> Response:
    """Your agency and the bodies it acts for, your client, role and permissions, and when your credentials end."""
    return answers.read(request, clients.describe(caller))


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
    found = await clients.list_clients(reader, caller, keys, limit=page.limit, cursor=page.cursor, agency=agency)
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
    found = await clients.create_client(writer, caller, keys, input)
    return answers.written(request, found, status=201, location=f"/v1/clients/{found['id']}")


@router.get(
    "/clients/{id}",
    operation_id="showClient",
    summary="Show a client",
    response_model=Client,
    dependencies=[needs(P.CLIENT_READ, NotFound)],
)
async def show_client(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """A client and its live secrets, by their last four characters."""
    return answers.read(request, await clients.show_client(reader, caller, id))
