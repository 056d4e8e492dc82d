"""Comments and history: what was said about a task and what happened to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows
from app.entries import insert
from app.models import Comment
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Access
from app.security import Keys
from app.services import assignments, log, sealing, visibility
from app.services.erasures import ERASED
from app.services.task_rows import load_task, take_task

_SHOWN: Final = ("id", "body", "agency", "client", "recorded_at")
_READ: Final = "c.id, c.body, c.agency, c.client_id as client, c.recorded_at"


async def show_history(executor: Executor, caller: Caller, keys: Keys, id: UUID) -> dict[str, Any]:
    """The facts and assignments of a task, to a previous owner up to its hand-over; raises ClassificationDenied.

    Of facts that were retired with their year it is told what they were, not what they said.
    """
    until = await _sight(executor, caller, id)
    return {
        "items": await log.history(executor, keys, id, until=until),
        "retired": await log.retired(executor, id, until=until),
        "assignments": await assignments.list_assignments(executor, id, until=until),
    }


async def list_comments(executor: Executor, caller: Caller, keys: Keys, id: UUID) -> list[Row]:
    """What was said about a task, as the log was given it, oldest first; a previous owner reads up to its hand-over."""
    until = await _sight(executor, caller, id)
    found = await rows(
        executor,
        f"select {_READ}, {sealing.SEALED}, {sealing.PERSON} from comment c {log.COMMENTED} where c.task_id = :id"
        " and (cast(:until as timestamptz) is null or c.recorded_at <= :until) order by c.id",
        id=id,
        until=until,
    )
    return [
        {**{name: one[name] for name in _SHOWN}, "body": _said(keys, one), "acting_user": sealing.person_of(keys, one)}
        for one in found
    ]


def _said(keys: Keys, comment: Row) -> str:
    """What the fact of a comment seals, whatever stands in the table; the table's word where the fact has none."""
    if "body" not in (comment["words"] or {}):
        return str(comment["body"])
    return sealing.words_of(keys, comment)["body"] or ERASED


async def _sight(executor: Executor, caller: Caller, id: UUID) -> datetime | None:
    """Up to which recorded instant the caller sees a task's past: None for all of it; raises ClassificationDenied."""
    task = await load_task(executor, caller, id)
    if task["access"] == Access.FULL:
        return None
    ended = await assignments.last_handed_over(executor, id, caller.acts_for)
    if ended is None:
        visibility.require_full(task)
    return ended


async def comment_on_task(writer: Writer, caller: Caller, id: UUID, body: str) -> Row:
    """Say something about a task; its version stays. Raises NotFound, PermissionDenied."""
    task = await take_task(writer, caller, id)
    policy.require(caller.role, Permission.TASK_COMMENT, visibility.standings(caller, task))
    said = {"task_id": id, "body": body, "agency": caller.body, "client_id": caller.client_id}
    comment = await insert(writer, Comment, said)
    await log.record(
        writer,
        caller,
        EventKind.TASK_COMMENTED,
        on="comment",
        id=comment["id"],
        task_id=id,
        effective_at=task["now"],
        payload={"comment": str(comment["id"]), "body": body},
    )
    await writer.flush()
    kept = await one(writer, f"select {_READ} from comment c where c.id = :id", id=comment["id"])
    return {**kept, "acting_user": caller.acting_user}
