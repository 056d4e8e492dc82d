"""What the move of a referral does: to the referral by compare-and-set, to its task, to the log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Row, Writer, one
from app.entries import insert
from app.models import Referral
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.vocabulary import Action, Status
from app.rules.workflow import ReferralMove, Transition
from app.schemas.tasks import OpenReferral
from app.services import assignments, clock_starts, log, visibility
from app.services.referral_rows import show_answered
from app.services.versions import compare_and_set


async def close_referral(
    writer: Writer,
    caller: Caller,
    referral: Row,
    move: ReferralMove,
    at: datetime,
    changed: dict[str, Any],
    said: dict[str, Any],
) -> dict[str, Any]:
    """Move the referral, let the task follow, and record the fact; raises StaleVersion."""
    await settle(writer, caller, referral, move, at, changed, said)
    await writer.flush()
    await visibility.keep_readers(writer, referral["task"])
    return await show_answered(writer, caller, referral["id"])


async def settle(
    writer: Writer,
    caller: Caller,
    referral: Row,
    move: ReferralMove,
    at: datetime,
    changed: dict[str, Any],
    said: dict[str, Any],
) -> Status:
    """The same, where nobody waits to be shown it; returns the task's status after it."""
    won = await turn(writer, referral, move, **changed)
    before, state = await _follow(writer, referral, move, won, at)
    moved = {"from": before, "to": state["status"], **said, "to_agency": referral["to_agency"]}
    await record_move(writer, caller, move.event, referral, at, moved, state=state)
    if move.action is Action.ACCEPT:
        await clock_starts.start_by_referral(writer, caller, referral, at)
    return Status(state["status"])


async def turn(writer: Writer, referral: Row, move: ReferralMove, **changed: Any) -> Row:
    """One UPDATE of the referral that only the holder of its current version wins; raises StaleVersion."""
    changed["status"] = move.target
    return await compare_and_set(
        writer,
        "referral",
        {"id": referral["id"]},
        referral["version"],
        changed,
        sources=move.sources,
        returning=("version", "supporting", "informed"),
    )


_ACCEPTED: Final = """
    update task set status = :status, accountable = :agency, holder = :agency, mandate = :mandate,
        mandate_ended = false, mandate_checked = 0, accepted_at = coalesce(accepted_at, :at),
        function = :function, variant = :variant, supporting = :supporting, informed = :informed, open_referral = null,
        last_effective_at = greatest(last_effective_at, :at), version = version + 1, updated_at = now()
    where id = :id and open_referral = :referral returning version
"""
_HANDED_BACK: Final = """
    update task set status = :status, open_referral = null,
        last_effective_at = greatest(last_effective_at, :at), version = version + 1, updated_at = now()
    where id = :id and open_referral = :referral returning version
"""
_RECEIVED: Final = """
    update task set status = :status, last_effective_at = greatest(last_effective_at, :at), updated_at = now()
    where id = :id and open_referral = :referral returning version
"""


async def _follow(
    writer: Writer, referral: Row, move: ReferralMove, won: Row, at: datetime
) -> tuple[Status, dict[str, Any]]:
    """What the row of the workflow says the move does to the task; returns its status before, and what it set."""
    locked = await one(writer, "select status from task where id = :id for update", id=referral["task"])
    before = Status(locked["status"])
    after = move.task_target.get(before, before)
    place = {"id": referral["task"], "referral": referral["id"], "at": at, "status": after}
    state: dict[str, Any] = {"status": after, "open_referral": None}
    if move.action is Action.ACCEPT:
        party = assignments.Party(
            referral["to_agency"], referral["mandate"], tuple(won["supporting"]), tuple(won["informed"])
        )
        await assignments.hand_over(writer, referral["task"], party, at=at)
        given = {name: referral[name] for name in ("mandate", "function", "variant")}
        given |= {name: won[name] for name in ("supporting", "informed")}
        touched = await one(writer, _ACCEPTED, **place, **given, agency=party.agency)
        state |= {**given, "accountable": party.agency, "holder": party.agency, "mandate_ended": False}
    elif move.action is Action.RECEIVE:
        touched = await one(writer, _RECEIVED, **place)
        state["open_referral"] = waiting({**referral, "status": move.target})
    else:
        touched = await one(writer, _HANDED_BACK, **place)
    return before, {**state, **touched}


async def send(
    writer: Writer, caller: Caller, task: Row, referral: Row, move: Transition, said: Mapping[str, Any]
) -> None:
    """Send a referral of a task that somebody holds: the task waits for its answer; raises StaleVersion.

    `said` is what the fact says beside whither it goes, and how the task stands.
    """
    at = referral["effective_at"]
    changed = {"status": move.target, "open_referral": referral["id"], "last_effective_at": at}
    won = await compare_and_set(writer, "task", {"id": task["id"]}, task["version"], changed, sources=move.sources)
    await insert(writer, Referral, referral)
    told = {"from": task["status"], "to": move.target}
    told |= {name: referral[name] for name in ("to_agency", "mandate")}
    place = {"id": referral["id"], "task": task["id"], "version": 0}
    state = {**changed, **won, "open_referral": waiting(referral)}
    await record_move(writer, caller, move.event, place, at, {**told, **said}, state=state)


def waiting(referral: Row) -> dict[str, Any]:
    """An open referral as its task shows it."""
    shown = {name: referral[name] for name in OpenReferral.model_fields}
    return {**shown, "effective_at": shown["effective_at"].astimezone(UTC)}


async def record_move(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    referral: Row,
    at: datetime,
    payload: dict[str, Any],
    *,
    state: dict[str, Any] | None = None,
) -> None:
    """Enter the fact of a referral's move, with what it set of the task if that has no fact of its own."""
    task: UUID = referral["task"]
    await log.record(
        writer,
        caller,
        kind,
        on="referral",
        id=referral["id"],
        task_id=task,
        effective_at=at,
        versions=(referral["version"] or None, referral["version"] + 1),
        payload=payload,
        state=state,
    )
