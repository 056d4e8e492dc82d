"""Mandates over HTTP, and the question who is competent."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.rules.vocabulary import Function, SubjectKind
from app.schemas.mandates import Mandate, MandateInput, MandatePage, Resolution
from app.schemas.types import Code, MandateCode, QueryInstant, RegionCode
from app.services import law, mandates

router = guarded(prefix="/v1/mandates", tags=["mandates"])


@router.get(
    "",
    operation_id="listMandates",
    summary="List mandates",
    response_model=MandatePage,
    dependencies=[needs(P.REGISTRY_READ, CursorMismatch)],
)
async def list_mandates(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    category: Code | None = None,
    function: Function | None = None,
    as_of: Annotated[QueryInstant | None, Query(description="Rows in force at this instant.")] = None,
) -> Response:
    """The mandate matrix: which office is accountable for what, where and when, on which basis."""
    found = await mandates.list_mandates(
        reader,
        caller,
        keys,
        limit=page.limit,
        cursor=page.cursor,
        category=category,
        function=function,
        as_of=as_of,
    )
    return answers.page(request, found)


@router.get(
    "/resolution",
    operation_id="resolveMandate",
    summary="Ask who is competent",
    response_model=Resolution,
    dependencies=[needs(P.REGISTRY_READ)],
)
async def resolve_mandate(
    request: Request,
    reader: Reader,
    category: Code,
    function: Function,
    region: RegionCode,
    subcategory: Code | None = None,
    variant: Code | None = None,
    subject_kind: SubjectKind | None = None,
    at: Annotated[QueryInstant | None, Query(description="Instant of creation or referral; default now.")] = None,
    event_at: Annotated[QueryInstant | None, Query(description="When the matter happened; default `at`.")] = None,
) -> Response:
    """A dry run of the law: who is accountable, with whom, on which basis, who is recused, and which rows lost and why.

    Which instant decides is the row's `resolve_at`. Nothing is changed.
    """
    answer = await law.ask(
        reader,
        category=category,
        function=function,
        region=region,
        subcategory=subcategory,
        variant=variant,
        subject_kind=subject_kind,
        at=at,
        event_at=event_at,
    )
    return answers.read(request, answer)


@router.post(
    "",
    operation_id="createMandate",
    summary="Add a mandate",
    status_code=201,
    response_model=Mandate,
    dependencies=[needs(P.REGISTRY_WRITE)],
)
async def create_mandate(
    request: Request,
    writer: Writer,
    caller: Caller,
    input: MandateInput,
) -> Response:
    """Add a dated row to the matrix; two accountable offices at one instant are refused."""
    found = await mandates.create_mandate(writer, caller, input)
    return answers.written(request, found, status=201, location=f"/v1/mandates/{found['id']}")


@router.get(
    "/{id}",
    operation_id="showMandate",
    summary="Show a mandate",
    response_model=Mandate,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_mandate(request: Request, reader: Reader, id: MandateCode) -> Response:
    """A row of the matrix, with its source and whether it is verified."""
    return answers.read(request, await mandates.show_mandate(reader, id))
