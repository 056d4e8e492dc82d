"""Mandates over HTTP, and the question who is competent."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import (
    CursorMismatch,
    FourEyes,
    NotFound,
    PreconditionRequired,
    StaleVersion,
    TransitionNotAllowed,
)
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.rules.vocabulary import Function, SubjectKind
from app.schemas.closures import Closure, ClosureAnswerInput, ClosureInput
from app.schemas.mandates import Mandate, MandateInput, MandatePage, Office, Resolution
from app.schemas.types import Code, Day, MandateCode, QueryInstant, RegionCode
from app.services import closures, law, mandates

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


@router.get(
    "/{id}/closure",
    operation_id="previewClosure",
    summary="See what closing a mandate would do",
    response_model=Closure,
    dependencies=[needs(P.REGISTRY_WRITE, NotFound)],
)
async def preview_closure(
    request: Request,
    reader: Reader,
    id: MandateCode,
    valid_to: Annotated[
        Day | None, Query(description="The day from which it would not hold; default: as proposed.")
    ] = None,
    successor: Annotated[Office | None, Query(description="The office that would follow.")] = None,
) -> Response:
    """A dry run: how many open tasks and referrals would go to whom, by reference and count alone.

    Without `valid_to` it shows the open proposal. The ETag names this state: send it as If-Match to propose or answer.
    """
    found, version = await closures.show_closure(reader, id, valid_to=valid_to, successor=successor)
    return answers.read(request, found, version=version)


@router.post(
    "/{id}/closure",
    operation_id="proposeClosure",
    summary="Propose to close a mandate",
    response_model=Closure,
    dependencies=[
        needs(P.REGISTRY_WRITE, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed),
    ],
)
async def propose_closure(
    request: Request, writer: Writer, caller: Caller, id: MandateCode, version: IfMatch, input: ClosureInput
) -> Response:
    """Propose an end and what follows, on a dry run; nothing is changed until another operator confirms it.

    412 when tasks have come or gone since that dry run.
    """
    found, current = await closures.propose_closure(writer, caller, id, version, input)
    return answers.written(request, found, version=current)


@router.post(
    "/{id}/closure/response",
    operation_id="answerClosure",
    summary="Confirm or reject the closing of a mandate",
    response_model=Closure,
    dependencies=[
        needs(P.REGISTRY_WRITE, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed, FourEyes),
    ],
)
async def answer_closure(
    request: Request, writer: Writer, caller: Caller, id: MandateCode, version: IfMatch, input: ClosureAnswerInput
) -> Response:
    """Confirm as another operator than the one who proposed, or reject.

    Confirmed, the row ends on that day and its successor stands; at midnight WIB, or at once where that has passed,
    each open task is resolved again.
    """
    found, current = await closures.answer_closure(writer, caller, id, version, input)
    return answers.written(request, found, version=current)
