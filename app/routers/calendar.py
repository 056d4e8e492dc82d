"""The calendar of working days over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, IfMatch, Reader, Writer
from app.errors import NotFound, PreconditionRequired, StaleVersion
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.calendar import Calendar, Correction, CorrectionInput, CorrectionList
from app.services import calendars

router = guarded(prefix="/v1/calendar", tags=["registry"])


@router.get(
    "",
    operation_id="showCalendar",
    summary="Show the calendar",
    response_model=Calendar,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_calendar(
    request: Request,
    reader: Reader,
    version: Annotated[int | None, Query(ge=1, le=999_999_999, description="Default: the newest.")] = None,
) -> Response:
    """The days that are no working days, by which clocks are counted.

    From `covers_from` to `covers_to` it is complete; outside, the public lists of a library are asked as well, and what
    they decide is provisional.
    """
    return answers.read(request, await calendars.show_calendar(reader, version=version))


@router.get(
    "/corrections",
    operation_id="listCorrections",
    summary="List the versions of the calendar",
    response_model=CorrectionList,
    dependencies=[needs(P.REGISTRY_READ)],
)
async def list_corrections(reader: Reader) -> Response:
    """Each version with the days it added and removed, and why; the newest first."""
    return answers.items(await calendars.list_corrections(reader))


@router.post(
    "/corrections",
    operation_id="correctCalendar",
    summary="Correct the calendar",
    status_code=201,
    response_model=Correction,
    dependencies=[needs(P.REGISTRY_WRITE, PreconditionRequired, StaleVersion)],
)
async def correct_calendar(
    request: Request, writer: Writer, caller: Caller, version: IfMatch, input: CorrectionInput
) -> Response:
    """Make a new version; the one before stays readable. If-Match takes the ETag of the newest calendar.

    Every open clock of working days is recomputed by it within seconds, and says why where it now ends at another
    instant (`deadline.recomputed`).
    """
    found = await calendars.correct_calendar(writer, caller, version, input)
    return answers.written(request, found, status=201, location=f"/v1/calendar?version={found['version']}")
