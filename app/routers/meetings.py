"""Coordination meetings over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BeforeValidator

from app import answers, follow_up_page
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import (
    ClassificationRefused,
    CursorMismatch,
    DuplicateExternalReference,
    MandateGap,
    MandateMismatch,
    NoLegalBasis,
    NotAcceptable,
    NotFound,
    PreconditionRequired,
    Recusal,
    StaleVersion,
)
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.follow_up import FollowUp
from app.schemas.meetings import (
    Decision,
    DecisionInput,
    DecisionList,
    Meeting,
    MeetingInput,
    MeetingPage,
    MeetingPatch,
)
from app.schemas.types import SEARCH, AgencyCode, ElectionCode, ExternalReference, RegionCode, SearchText, split
from app.services import follow_up, meetings

router = guarded(prefix="/v1/meetings", tags=["meetings"])


@router.get(
    "",
    operation_id="listMeetings",
    summary="List meetings",
    response_model=MeetingPage,
    dependencies=[needs(P.MEETING_READ, CursorMismatch)],
)
async def list_meetings(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    host: Annotated[list[AgencyCode] | None, BeforeValidator(split), Query()] = None,
    election: ElectionCode | None = None,
    region: Annotated[RegionCode | None, Query(description="That region and all below it.")] = None,
    external_reference: ExternalReference | None = None,
    q: Annotated[SearchText | None, Query(description=SEARCH)] = None,
) -> Response:
    """Coordination meetings (rakor) that you may see, newest first."""
    found = await meetings.list_meetings(
        reader,
        caller,
        keys,
        limit=page.limit,
        cursor=page.cursor,
        host=host,
        election=election,
        region=region,
        external_reference=external_reference,
        q=q,
    )
    return answers.page(request, found)


@router.post(
    "",
    operation_id="holdMeeting",
    summary="Enter a meeting",
    status_code=201,
    response_model=Meeting,
    dependencies=[needs(P.MEETING_HOLD, ClassificationRefused, DuplicateExternalReference)],
)
async def hold_meeting(
    request: Request,
    writer: Writer,
    caller: Caller,
    input: MeetingInput,
) -> Response:
    """Enter who sat together, where, when and about what."""
    found = await meetings.hold_meeting(writer, caller, input)
    return answers.written(request, found, status=201, location=f"/v1/meetings/{found['id']}")


@router.get(
    "/{id}",
    operation_id="showMeeting",
    summary="Show a meeting",
    response_model=Meeting,
    dependencies=[needs(P.MEETING_READ, NotFound)],
)
async def show_meeting(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """A meeting with its decisions, and of their tasks those that you may see."""
    return answers.read(request, await meetings.show_meeting(reader, caller, id))


@router.patch(
    "/{id}",
    operation_id="updateMeeting",
    summary="Change a meeting",
    response_model=Meeting,
    dependencies=[needs(P.MEETING_UPDATE, NotFound, PreconditionRequired, StaleVersion)],
)
async def update_meeting(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    patch: MeetingPatch,
) -> Response:
    """A merge patch, by the host or the agency that entered it."""
    return answers.written(request, await meetings.update_meeting(writer, caller, id, version, patch))


@router.get(
    "/{id}/decisions",
    operation_id="listMeetingDecisions",
    summary="List decisions",
    response_model=DecisionList,
    dependencies=[needs(P.MEETING_READ, NotFound)],
)
async def list_decisions(reader: Reader, caller: Caller, id: UUID) -> Response:
    """What the meeting agreed, in order."""
    return answers.items(await meetings.list_decisions(reader, caller, id))


@router.post(
    "/{id}/decisions",
    operation_id="decide",
    summary="Enter a decision",
    status_code=201,
    response_model=Decision,
    dependencies=[
        needs(
            P.MEETING_DECIDE,
            NotFound,
            MandateMismatch,
            MandateGap,
            NoLegalBasis,
            Recusal,
            ClassificationRefused,
            DuplicateExternalReference,
        )
    ],
)
async def decide(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    input: DecisionInput,
) -> Response:
    """A decision may log tasks in the same call: all of them, or nothing happens."""
    decided = await meetings.decide(writer, caller, id, input)
    return answers.written(request, decided, status=201, location=f"/v1/meetings/{id}/decisions")


@router.get(
    "/{id}/follow-up",
    operation_id="showFollowUp",
    summary="Show what came of a meeting",
    response_model=FollowUp,
    responses={200: {"content": follow_up_page.DOCUMENTED}},
    dependencies=[needs(P.MEETING_READ, NotFound, NotAcceptable)],
)
async def show_follow_up(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """The decisions of a meeting, their tasks that you may see, who has each, how far it is, and what was done last.

    With `Accept: text/html` the same as a page to print, in the language of Accept-Language.
    """
    found = await follow_up.show_follow_up(reader, caller, id)
    if follow_up_page.wanted(request):
        return follow_up_page.printed(request, found, await follow_up.names(reader, found))
    return answers.counted(found)
