"""Legal instruments over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound, PreconditionRequired, StaleVersion
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.legal_instruments import (
    LegalInstrument,
    LegalInstrumentInput,
    LegalInstrumentPage,
    LegalInstrumentPatch,
)
from app.schemas.types import Code, InstrumentId
from app.services import legal_instruments

router = guarded(prefix="/v1/legal-instruments", tags=["registry"])


@router.get(
    "",
    operation_id="listLegalInstruments",
    summary="List legal instruments",
    response_model=LegalInstrumentPage,
    dependencies=[needs(P.REGISTRY_READ, CursorMismatch)],
)
async def list_legal_instruments(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    kind: Code | None = None,
    year: Annotated[int | None, Query(ge=1900, le=2100)] = None,
) -> Response:
    """Laws, regulations, rulings and circulars, with the periods in which they are in force."""
    found = await legal_instruments.list_legal_instruments(
        reader, caller, keys, limit=page.limit, cursor=page.cursor, kind=kind, year=year
    )
    return answers.page(request, found)


@router.post(
    "",
    operation_id="createLegalInstrument",
    summary="Add a legal instrument",
    status_code=201,
    response_model=LegalInstrument,
    dependencies=[needs(P.REGISTRY_WRITE)],
)
async def create_legal_instrument(
    request: Request,
    writer: Writer,
    caller: Caller,
    input: LegalInstrumentInput,
) -> Response:
    """Add an instrument that mandate rows can rest on."""
    found = await legal_instruments.create_legal_instrument(writer, caller, input)
    return answers.written(request, found, status=201, location=f"/v1/legal-instruments/{found['id']}")


@router.get(
    "/{id}",
    operation_id="showLegalInstrument",
    summary="Show a legal instrument",
    response_model=LegalInstrument,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_legal_instrument(request: Request, reader: Reader, id: InstrumentId) -> Response:
    """An instrument; `verified` says whether its dates were checked."""
    return answers.read(request, await legal_instruments.show_legal_instrument(reader, id))


@router.patch(
    "/{id}",
    operation_id="updateLegalInstrument",
    summary="Change a legal instrument",
    response_model=LegalInstrument,
    dependencies=[needs(P.REGISTRY_WRITE, NotFound, PreconditionRequired, StaleVersion)],
)
async def update_legal_instrument(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: InstrumentId,
    version: IfMatch,
    patch: LegalInstrumentPatch,
) -> Response:
    """A merge patch: title, dates, address, whether it is verified."""
    return answers.written(request, await legal_instruments.update_legal_instrument(writer, caller, id, version, patch))
