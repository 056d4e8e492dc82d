"""Which moves are open to a caller: the workflow's rows held against the policy."""

from __future__ import annotations

from typing import Any

from app.db import Row
from app.rules import policy, workflow
from app.rules.caller import Caller
from app.rules.policy import Permission
from app.rules.vocabulary import Access, Action, Standing, Status
from app.services import visibility
from app.services.task_rows import FULL_FIELDS, SUMMARY_FIELDS


def shown(caller: Caller, task: Row) -> dict[str, Any]:
    """The representation of a loaded task."""
    names = FULL_FIELDS if task["access"] == Access.FULL else SUMMARY_FIELDS
    return {**{name: task[name] for name in names}, "available_transitions": available(caller, task)}


def available(caller: Caller, task: Row) -> list[dict[str, Any]]:
    """The moves open to this caller now, referral moves included."""
    held = visibility.standings(caller, task)
    found = [
        {"action": move.action, "method": "POST", "href": _href(task, move.action), "requires": needed(task, move)}
        for move in workflow.lawful(Status(task["status"]))
        if policy.may(caller.role, move.permission, held)
        and not (move.halted_by_referral and task["open_referral"])
        and not (move.four_eyes and caller.client_id == task["resolved_by"])
    ]
    return [*found, *_referral_moves(caller, task, held)]


def _href(task: Row, action: Action) -> str:
    return f"/v1/tasks/{task['id']}/{'referrals' if action is Action.REFER else 'transitions'}"


def needed(task: Row, move: workflow.Transition) -> list[str]:
    """The members that the body of a move must have; a fact of the outcome as `facts.name`."""
    facts = task["required_facts"] if move.action is Action.RESOLVE else []
    return [*move.requires, *(f"facts.{fact}" for fact in facts)]


def _referral_moves(caller: Caller, task: Row, held: frozenset[Standing]) -> list[dict[str, Any]]:
    referral = task["open_referral"]
    if not referral:
        return []
    by_letter = task["receiver_has_no_client"] and policy.may(caller.role, Permission.REFERRAL_RECORD_ANSWER, held)
    return [
        {
            "action": move.action,
            "method": "POST",
            "href": f"/v1/referrals/{referral['id']}/{'withdrawal' if move.action is Action.WITHDRAW else 'response'}",
            "requires": [*move.requires, *(["letter"] if by_letter and move.action is not Action.WITHDRAW else [])],
        }
        for move in workflow.REFERRAL_MOVES
        if referral["status"] in move.sources
        and (policy.may(caller.role, move.permission, held) or (by_letter and move.action is not Action.WITHDRAW))
    ]
