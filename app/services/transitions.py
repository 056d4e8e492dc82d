"""Moves of a task: one row of the workflow each, one compare-and-set each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NoReturn
from uuid import UUID

from app.db import Executor, Row, Writer, one
from app.errors import FourEyes, PermissionDenied, ReferralOpen, TransitionNotAllowed, ValidationFailed
from app.rules import policy, workflow
from app.rules.caller import Caller
from app.rules.vocabulary import Action, ReferralStatus, Standing, Status
from app.rules.workflow import Transition
from app.schemas.transitions import TransitionInput
from app.services import clock_moves, law, log, moments, records, visibility
from app.services.log import Fact
from app.services.moves import available, needed, shown
from app.services.placement import Placeable, Placement, decide_placement, place
from app.services.referral_moves import record_move, turn
from app.services.task_rows import load_task, load_written, take_task
from app.services.versions import check_version, compare_and_set

#: What a move back to work leaves behind of the outcome.
_NO_OUTCOME: Final[dict[str, Any]] = {"outcome": None, "note": None, "facts": {}, "resolved_by": None}


async def list_transitions(executor: Executor, caller: Caller, id: UUID) -> list[dict[str, Any]]:
    """The moves open to this caller; raises NotFound."""
    return available(caller, await load_task(executor, caller, id))


async def move_task(
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: int,
    input: TransitionInput,
) -> tuple[dict[str, Any], int]:
    """Make one move of a task; returns its representation and its new version.

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ReferralOpen, FourEyes, ValidationFailed,
    and on submit the refusals of `law.determine`.
    """
    task = await take_task(writer, caller, id)
    move = allowed(caller, task, Action(input.action), version)
    if move.four_eyes and caller.client_id == task["resolved_by"]:
        raise FourEyes
    _require_members(task, move, input)
    at = moments.moved_at(writer, input.effective_at, task)
    if move.action is Action.CANCEL and task["open_referral"]:
        await _withdraw(writer, caller, task, at)
    if move.action is Action.CANCEL:
        await clock_moves.void_all(writer, caller, task["id"], at)
    changed = {"last_effective_at": at, **_values(caller, move, input)}
    placed = await _placement(writer, task, at) if move.action is Action.SUBMIT else None
    if placed is not None:
        changed |= placed.values
    won = await compare_and_set(writer, "task", {"id": id}, task["version"], changed, sources=move.sources)
    beside = [] if placed is None else await place(writer, placed, task_id=task["id"], at=at)
    target = {"to": move.target} if placed is None else placed.said
    moved = Fact(
        kind=move.event,
        on="task",
        id=task["id"],
        task_id=task["id"],
        effective_at=at,
        versions=(version, won["version"]),
        payload={"from": task["status"], **target, **_said(input)},
        state=changed if placed is None else changed | placed.state,
    )
    await log.record_all(writer, caller, [moved, *beside])
    await writer.flush()
    await visibility.keep_readers_after(writer, task["id"], changed)
    return shown(caller, await load_written(writer, caller, task["id"])), won["version"]


def allowed(caller: Caller, task: Row, action: Action, version: int) -> Transition:
    """The row that lets this caller make this move now.

    Raises PermissionDenied, StaleVersion, TransitionNotAllowed or ReferralOpen, in that order.
    """
    move = workflow.transition(action, Status(task["status"]))
    if move is None:
        return _refuse(caller, task, action, version)
    policy.require(caller.role, move.permission, visibility.standings(caller, task))
    check_version(task["version"], version)
    if move.halted_by_referral and task["open_referral"]:
        raise ReferralOpen(to_agency=task["open_referral"]["to_agency"], referral=str(task["open_referral"]["id"]))
    return move


def _refuse(caller: Caller, task: Row, action: Action, version: int) -> NoReturn:
    """No row lets the action happen now: say what is lawful to whoever may make the move at another time."""
    rows = [move for move in workflow.TASK_MOVES if move.action == action]
    held = visibility.standings(caller, task)
    if Standing.REFERRED_TO in held:
        held |= {Standing.OWNER}  # it will be, once it accepts
    if not any(policy.may(caller.role, move.permission, held) for move in rows):
        raise PermissionDenied(permission=rows[0].permission.value)
    check_version(task["version"], version)
    raise TransitionNotAllowed(action=action, current=task["status"], lawful=available(caller, task))


def _require_members(task: Row, move: Transition, input: TransitionInput) -> None:
    given = {f"facts.{fact}" for fact in input.facts or {}} | input.model_dump(exclude_none=True).keys()
    missing = [f"/{name.replace('.', '/')}" for name in needed(task, move) if name not in given]
    if missing:
        raise ValidationFailed(errors=[records.required(pointer) for pointer in missing])


def _values(caller: Caller, move: Transition, input: TransitionInput) -> dict[str, Any]:
    """The columns a move sets beside the status."""
    changed: dict[str, Any] = {"status": move.target}
    if move.action is Action.RESOLVE:
        changed |= {
            "outcome": input.outcome,
            "note": input.note,
            "facts": input.facts or {},
            "resolved_by": caller.client_id,
        }
    if move.target is Status.IN_PROGRESS:
        changed |= _NO_OUTCOME
    if move.action is Action.CANCEL:
        changed["open_referral"] = None
    return changed


def _said(input: TransitionInput) -> dict[str, Any]:
    said = input.model_dump(mode="json", exclude={"action", "effective_at"}, exclude_none=True)
    return {name: content for name, content in said.items() if content}


async def _withdraw(writer: Writer, caller: Caller, task: Row, at: datetime) -> None:
    """A task cancelled before acceptance takes its referral back; raises StaleVersion if it was answered meanwhile."""
    found = await one(writer, "select version from referral where id = :id", id=task["open_referral"]["id"])
    referral = {**task["open_referral"], "task": task["id"], "version": found["version"]}
    move = workflow.referral_move(Action.WITHDRAW, ReferralStatus(referral["status"]))
    if move is None:
        return
    await turn(writer, referral, move, answered_at=at)
    await record_move(writer, caller, move.event, referral, at, {"to_agency": referral["to_agency"]})


async def _placement(writer: Writer, task: Row, at: datetime) -> Placement:
    asked = law.question_of(task, at=at)
    answer = await law.determine(writer, asked, proposed=task["proposed_owner"], pointer="/proposed_owner")
    draft = Placeable(**{name: task[name] for name in ("id", "logged_by", "function", "variant", "chosen_supporting")})
    return await decide_placement(writer, draft, answer, vulnerabilities=task["vulnerabilities"], at=at)
