"""Clocks that agencies agree on: set one, revise one. What the law sets nobody edits."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Row, Writer, value
from app.errors import StatutoryClock, TransitionNotAllowed
from app.models import Deadline
from app.rules import deadlines, policy
from app.rules.caller import Caller
from app.rules.clocks import ClockKind, ClockStatus
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.schemas.deadlines import AgreedClockInput, AgreedClockPatch
from app.services import moments, records, visibility
from app.services.clock_facts import record_move, record_start
from app.services.clock_starts import require_under_way
from app.services.deadline_rows import available, due_again, is_open, take, written
from app.services.task_rows import take_task
from app.services.versions import check_version, compare_and_set


async def agree_deadline(writer: Writer, caller: Caller, id: UUID, input: AgreedClockInput) -> dict[str, Any]:
    """Set a clock that was agreed on a task.

    Raises NotFound, PermissionDenied, TransitionNotAllowed, ValidationFailed.
    """
    task = await take_task(writer, caller, id)
    policy.require(caller.role, Permission.DEADLINE_AGREE, visibility.standings(caller, task))
    require_under_way(task, "agree_deadline")
    start = moments.began_at(writer, input.started_at, now=task["now"], pointer="/started_at")
    if input.due_at <= start:
        raise _too_early()
    zone = await value(writer, "select time_zone from region where code = :region", region=task["region_code"])
    clock = Deadline(
        id=uuid7(),
        task_id=id,
        kind=ClockKind.AGREED,
        status=ClockStatus.RUNNING,
        started_at=start,
        due_at=input.due_at.astimezone(UTC),
        time_zone=zone,
        approaches_at=deadlines.approaches_at(None, start=start, due=input.due_at),
        reason=input.reason,
        set_by=caller.agency,
    )
    writer.add(clock)
    await writer.flush()
    await record_start(writer, caller, clock.model_dump(), start, {"reason": input.reason})
    await writer.flush()
    return (await written(writer, caller, id, [clock.id]))[0]


def _too_early() -> Exception:
    return records.refused("/due_at", "period", "It must lie after the start.", "Harus sesudah mulai.")


async def revise_deadline(
    writer: Writer, caller: Caller, id: UUID, version: int, patch: AgreedClockPatch
) -> dict[str, Any]:
    """Agree on another end.

    Raises NotFound, PermissionDenied, StatutoryClock, StaleVersion, TransitionNotAllowed, ValidationFailed.
    """
    clock, task = await take(writer, caller, id)
    policy.require(caller.role, Permission.DEADLINE_REVISE, visibility.standings(caller, task))
    if clock["kind"] == ClockKind.STATUTORY:
        raise StatutoryClock(clock=clock["code"], lawful=available(caller, task, clock))
    check_version(clock["version"], version)
    if not is_open(clock):
        raise TransitionNotAllowed(action="revise", current=clock["status"], lawful=[])
    if patch.due_at <= clock["started_at"]:
        raise _too_early()
    changed = due_again(clock, _due(clock, patch))
    await compare_and_set(writer, "deadline", {"id": id}, version, changed)
    why = {"reason": patch.reason}
    await record_move(writer, caller, EventKind.DEADLINE_REVISED, clock, changed, clock["now"], why)
    await writer.flush()
    return (await written(writer, caller, task["id"], [id]))[0]


def _due(clock: Row, patch: AgreedClockPatch) -> dict[str, Any]:
    due = patch.due_at.astimezone(UTC)
    approaches = deadlines.approaches_at(None, start=clock["started_at"], due=due)
    return {"due_at": due, "approaches_at": approaches, "reason": patch.reason}
