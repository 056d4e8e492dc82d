"""Clocks over HTTP: the time limits of tasks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Reader, Writer
from app.errors import (
    ClassificationDenied,
    ClockRunning,
    CursorMismatch,
    NoSuchClock,
    NotFound,
    PreconditionRequired,
    StaleVersion,
    StatutoryClock,
    TransitionNotAllowed,
)
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.deadlines import (
    AgreedClockInput,
    AgreedClockPatch,
    ClockStarted,
    ClockStartInput,
    ClockTransitionInput,
    Computation,
    ComputationQuery,
    Deadline,
    DeadlinePage,
    DeadlineQuery,
    TaskDeadlineList,
)
from app.services import agreed_clocks, clock_moves, clock_starts, deadline_rows, deadlines

router = guarded(prefix="/v1", tags=["deadlines"])

_CONDITIONAL = (NotFound, PreconditionRequired, StaleVersion)


@router.get(
    "/deadlines",
    operation_id="listDeadlines",
    summary="List clocks",
    response_model=DeadlinePage,
    dependencies=[needs(P.DEADLINE_READ, CursorMismatch)],
)
async def list_deadlines(
    request: Request, reader: Reader, caller: Caller, keys: Keys, query: Annotated[DeadlineQuery, Query()]
) -> Response:
    """The clocks of the tasks that you see whole, the nearest end first."""
    return answers.page(request, await deadlines.list_deadlines(reader, caller, keys, query))


@router.get(
    "/deadlines/computation",
    operation_id="computeDeadline",
    summary="Count a time limit",
    response_model=Computation,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def compute_deadline(request: Request, reader: Reader, query: Annotated[ComputationQuery, Query()]) -> Response:
    """A dry run of the law: when this limit runs out, on which basis, and every day that was counted or not, and why.

    The day of the start is day 0; the last ends at 23:59:59 in the zone of the region, hours to the second. Of a pause
    the days from that on which it began to the one before it ended do not count, at most as many as the limit named by
    `paused_by` in `/v1/reference/deadline_relation` has. `provisional`: a working day beyond `/v1/calendar` was needed.
    """
    return answers.read(request, await deadlines.compute(reader, query))


@router.get(
    "/deadlines/{id}",
    operation_id="showDeadline",
    summary="Show a clock",
    response_model=Deadline,
    dependencies=[needs(P.DEADLINE_READ, NotFound)],
)
async def show_deadline(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """A clock with its arithmetic, and the moves that are open to you."""
    return answers.read(request, await deadline_rows.show_deadline(reader, caller, id))


@router.patch(
    "/deadlines/{id}",
    operation_id="reviseDeadline",
    summary="Revise an agreed clock",
    response_model=Deadline,
    dependencies=[needs(P.DEADLINE_REVISE, *_CONDITIONAL, StatutoryClock, TransitionNotAllowed)],
)
async def revise_deadline(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, patch: AgreedClockPatch
) -> Response:
    """Agree on another end, and say why. A clock that the law sets is refused (409 `statutory-clock`)."""
    return answers.written(request, await agreed_clocks.revise_deadline(writer, caller, id, version, patch))


@router.post(
    "/deadlines/{id}/transitions",
    operation_id="moveDeadline",
    summary="Move a clock",
    response_model=Deadline,
    dependencies=[needs(P.DEADLINE_MOVE, *_CONDITIONAL, TransitionNotAllowed)],
)
async def move_deadline(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, input: ClockTransitionInput
) -> Response:
    """Meet it (`note`: by which act), pause and resume it where the law lets it wait, extend it once, or void it.

    The task's owner and its logger do so; to extend and to void takes a supervisor. What is met after `due_at` stays
    `breached`, with `met_at` beside; what is told late but was done in time is `met`.
    """
    return answers.written(request, await clock_moves.move_deadline(writer, caller, id, version, input))


@router.get(
    "/tasks/{id}/deadlines",
    operation_id="listTaskDeadlines",
    summary="List the clocks of a task",
    response_model=TaskDeadlineList,
    dependencies=[needs(P.DEADLINE_READ, NotFound, ClassificationDenied)],
)
async def list_task_deadlines(reader: Reader, caller: Caller, id: UUID) -> Response:
    """All of them with their arithmetic, those that ended included."""
    return answers.items(await deadline_rows.list_of_task(reader, caller, id))


@router.post(
    "/tasks/{id}/deadlines",
    operation_id="agreeDeadline",
    summary="Agree on a clock",
    status_code=201,
    response_model=Deadline,
    dependencies=[needs(P.DEADLINE_AGREE, NotFound, TransitionNotAllowed)],
)
async def agree_deadline(
    request: Request, writer: Writer, caller: Caller, id: UUID, input: AgreedClockInput
) -> Response:
    """Set a clock that agencies agreed on, with the reason; the task's version stays.

    What the law sets begins by its event: `POST /v1/tasks/{id}/clock-starts`.
    """
    clock = await agreed_clocks.agree_deadline(writer, caller, id, input)
    return answers.written(request, clock, status=201, location=f"/v1/deadlines/{clock['id']}")


@router.post(
    "/tasks/{id}/clock-starts",
    operation_id="startClocks",
    summary="Tell what starts the law's clocks",
    status_code=201,
    response_model=ClockStarted,
    dependencies=[needs(P.DEADLINE_START, NotFound, TransitionNotAllowed, ClockRunning, NoSuchClock)],
)
async def start_clocks(request: Request, writer: Writer, caller: Caller, id: UUID, input: ClockStartInput) -> Response:
    """Say that an event happened from which the law counts, such as `report_registered`, and when.

    Each limit of the law for the task's category and function that starts there begins; the task's version stays. Where
    the receipt of a referral is that event (`/v1/reference/clock_start`), it is told by itself.
    """
    begun = await clock_starts.start_clocks(writer, caller, id, input)
    return answers.written(request, begun, status=201, version=1, location=f"/v1/tasks/{id}/deadlines")
