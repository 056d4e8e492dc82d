"""Moves of a clock: one row of the rules each, one compare-and-set each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db import Row, Writer, rows
from app.errors import TransitionNotAllowed, ValidationFailed
from app.models.deadline import OPEN
from app.rules import clocks, policy
from app.rules.caller import Caller
from app.rules.clocks import ClockAction, ClockMove, ClockStatus
from app.rules.facts import EventKind
from app.schemas.deadlines import ClockTransitionInput
from app.services import calendars, moments, records, visibility
from app.services.clock_facts import BEFORE, record_breach, record_move
from app.services.deadline_rows import available, counted, due_again, move_of, spelled, take, written
from app.services.versions import check_version, compare_and_set


async def move_deadline(
    writer: Writer, caller: Caller, id: UUID, version: int, input: ClockTransitionInput
) -> dict[str, Any]:
    """Make one move of a clock: meet, pause, resume, extend or void it.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ValidationFailed.
    """
    clock, task = await take(writer, caller, id)
    row = clocks.row(input.action)
    policy.require(caller.role, row.permission, visibility.standings(caller, task))
    check_version(clock["version"], version)
    move = move_of(clock, input.action)
    if move is None:
        raise TransitionNotAllowed(action=input.action, current=clock["status"], lawful=available(caller, task, clock))
    _require_members(move, input)
    at = _when(writer, clock, move, input)
    changed = await _changed(writer, clock, move, input, at)
    await compare_and_set(writer, "deadline", {"id": id}, version, changed)
    if changed["status"] == ClockStatus.BREACHED != clock["status"]:
        await record_breach(writer, caller, clock)  # before it was met, though nobody had noticed
    said = {name: content for name in ("reason", "note") if (content := getattr(input, name)) is not None}
    await record_move(writer, caller, move.event, clock, changed, at, said)
    await writer.flush()
    return (await written(writer, caller, task["id"], [id]))[0]


def _require_members(move: ClockMove, input: ClockTransitionInput) -> None:
    missing = [name for name in move.requires if getattr(input, name) is None]
    if missing:
        raise ValidationFailed(errors=[records.required(f"/{name}") for name in missing])


def _when(writer: Writer, clock: Row, move: ClockMove, input: ClockTransitionInput) -> datetime:
    """When the move happened; raises ValidationFailed for one before what it follows, or too late for the law."""
    before = [clock["started_at"]] if (clock["limit"] or 0) >= 0 else []
    before += [datetime.fromisoformat(at) for one in clock["pauses"] for at in one.values() if at]
    at = moments.moved_at(
        writer, input.effective_at, {"now": clock["now"], "after": max(before, default=None)}, after="after"
    )
    if move.in_time and at > clock["due_at"]:
        due = clock["due_at"].isoformat()
        raise records.refused(
            "/effective_at",
            "too_late",
            f"The clock had run out by then, at {due}: this must happen before.",
            f"Tenggat sudah habis pada {due}: ini harus terjadi sebelumnya.",
        )
    return at


async def _changed(
    writer: Writer, clock: Row, move: ClockMove, input: ClockTransitionInput, at: datetime
) -> dict[str, Any]:
    """The columns that a move sets."""
    at = at.astimezone(UTC)
    if move.action is ClockAction.VOID:
        return {"status": ClockStatus.VOID, "voided_at": at, "reason": input.reason}
    if move.action is ClockAction.MEET:
        status = clocks.met(at=at, due=clock["due_at"])
        late = {"breached_at": clock["breached_at"] or clock["due_at"]} if status is ClockStatus.BREACHED else {}
        return {
            "status": status,
            "met_at": at,
            "note": input.note,
            "breached_at": None,
            **late,
            "pauses": _ended(clock, at),
        }
    given: dict[ClockAction, dict[str, Any]] = {
        ClockAction.PAUSE: {"pauses": [*clock["pauses"], {"began": spelled(at), "ended": None}]},
        ClockAction.RESUME: {"pauses": _ended(clock, at)},
        ClockAction.EXTEND: {"extended_at": at},
    }
    inputs = given[move.action]
    due = counted({**clock, **inputs}, await calendars.current(writer))
    reason = {"reason": input.reason} if input.reason else {}
    return due_again(clock, {**inputs, **due, **reason})


def _ended(clock: Row, at: datetime) -> list[Row]:
    """The pauses with the last one ended, if it was open."""
    return [{**one, "ended": one["ended"] or spelled(at)} for one in clock["pauses"]]


async def void_all(writer: Writer, caller: Caller, task: UUID, at: datetime) -> None:
    """Call off the open clocks of a task that is cancelled."""
    ended = await rows(
        writer,
        "update deadline c set status = 'void', voided_at = :at, version = c.version + 1, updated_at = now()"
        f" from (select id, status from deadline where task_id = :task and {OPEN} for update) o"
        f" where c.id = o.id returning {BEFORE}",
        task=task,
        at=at,
    )
    changed, why = {"status": ClockStatus.VOID}, {"because": "task_cancelled"}
    for clock in sorted(ended, key=lambda one: one["due_at"]):
        await record_move(writer, caller, EventKind.DEADLINE_VOIDED, clock, changed, at, why)
