"""Agencies over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.rules.vocabulary import Tier
from app.schemas.agencies import Agency, AgencyInput, AgencyPage, AgencyPatch, OfficeCode
from app.schemas.client_credentials import ReasonInput
from app.schemas.types import AgencyCode, Code, Day, RegionCode
from app.services import agencies

router = guarded(prefix="/v1/agencies", tags=["registry"])


@router.get(
    "",
    operation_id="listAgencies",
    summary="List agencies",
    response_model=AgencyPage,
    dependencies=[needs(P.REGISTRY_READ, CursorMismatch)],
)
async def list_agencies(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    office: OfficeCode | None = None,
    tier: Tier | None = None,
    type: Code | None = None,
    region: Annotated[RegionCode | None, Query(description="Agencies that cover this region.")] = None,
    as_of: Annotated[Day | None, Query(description="Agencies valid on this day.")] = None,
) -> Response:
    """Who holds which office, at which tier, for which regions."""
    found = await agencies.list_agencies(
        reader,
        caller,
        keys,
        limit=page.limit,
        cursor=page.cursor,
        office=office,
        tier=tier,
        type=type,
        region=region,
        as_of=as_of,
    )
    return answers.page(request, found)


@router.post(
    "",
    operation_id="createAgency",
    summary="Add an agency",
    status_code=201,
    response_model=Agency,
    dependencies=[needs(P.REGISTRY_WRITE)],
)
async def create_agency(
    request: Request,
    writer: Writer,
    caller: Caller,
    input: AgencyInput,
) -> Response:
    """Add an agency of any region as data alone: matters of its regions resolve to it from then on."""
    found = await agencies.create_agency(writer, caller, input)
    return answers.written(request, found, status=201, location=f"/v1/agencies/{found['code']}")


@router.get(
    "/{code}",
    operation_id="showAgency",
    summary="Show an agency",
    response_model=Agency,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_agency(request: Request, reader: Reader, code: AgencyCode) -> Response:
    """An agency; `members` are those of a joint centre or forum, whose clients act for it."""
    return answers.read(request, await agencies.show_agency(reader, code))


@router.patch(
    "/{code}",
    operation_id="updateAgency",
    summary="Change an agency",
    response_model=Agency,
    dependencies=[needs(P.REGISTRY_WRITE, NotFound, PreconditionRequired, StaleVersion)],
)
async def update_agency(
    request: Request, writer: Writer, caller: Caller, code: AgencyCode, version: IfMatch, patch: AgencyPatch
) -> Response:
    """A merge patch: names, regions, parents, dates."""
    return answers.written(request, await agencies.update_agency(writer, caller, code, version, patch))


@router.post(
    "/{code}/suspension",
    operation_id="suspendAgency",
    summary="Suspend an agency",
    response_model=Agency,
    dependencies=[needs(P.AGENCY_SUSPEND, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed)],
)
async def suspend_agency(
    request: Request, writer: Writer, caller: Caller, code: AgencyCode, version: IfMatch, input: ReasonInput
) -> Response:
    """All its clients are refused (`agency-suspended`) from their next request on, until it is reinstated."""
    return answers.written(request, await agencies.suspend_agency(writer, caller, code, version, input.reason))


@router.post(
    "/{code}/reinstatement",
    operation_id="reinstateAgency",
    summary="Reinstate an agency",
    response_model=Agency,
    dependencies=[needs(P.AGENCY_SUSPEND, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed)],
)
async def reinstate_agency(
    request: Request, writer: Writer, caller: Caller, code: AgencyCode, version: IfMatch, input: ReasonInput
) -> Response:
    """Its clients may fetch tokens again; those of before the suspension stay dead."""
    return answers.written(request, await agencies.reinstate_agency(writer, caller, code, version, input.reason))
