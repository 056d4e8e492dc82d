"""Referral rows: their columns, loading and listing through visibility, how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one
from app.rules import workflow
from app.rules.caller import Caller
from app.security import Keys
from app.services import filters, visibility
from app.services.moves import available
from app.services.paging import Keyset, Page, binding, read_page, without_place
from app.services.task_rows import load_task

COLUMNS: Final = """
    f.id, f.task_id as task, f.task_reference, f.from_agency, f.to_agency, f.status, f.function, f.variant,
    f.mandate,
    case when f.letter_number is not null then jsonb_build_object('number', f.letter_number, 'date', f.letter_date,
        'classification', f.letter_classification, 'urgency', f.letter_urgency) end as letter,
    f.note, f.retain_access, f.reason, f.suggested_agency,
    case when f.answer_letter_number is not null then jsonb_build_object('number', f.answer_letter_number,
        'date', f.answer_letter_date, 'classification', f.answer_letter_classification,
        'urgency', f.answer_letter_urgency) end as answer_letter,
    f.recorded_by_sender, f.effective_at, f.received_at, f.answered_at, f.recorded_at, f.updated_at, f.version
"""
#: Tasks are looked up one by one, as few as there are referrals: `offset 0` keeps the planner from reading all of them.
FROM: Final = (
    "from referral f left join lateral (select x.id, x.status, x.classification, x.region_path, x.recused_offices,"
    " x.open_referral from task x where x.id = f.task_id offset 0) t on true"
    " left join lateral (select * from task_detail x where x.id = f.task_id offset 0) d on true"
    " left join referral r on r.id = t.open_referral"
)
_FILTERS: Final = {
    "task": "f.task_id = :task",
    "status": "f.status = any(:status)",
    "from_agency": "f.from_agency = any(:from_agency)",
    "to_agency": "f.to_agency = any(:to_agency)",
}


def visible(caller: Caller) -> str:
    """SQL: the caller sees referral `f` of task `t`: its sender and receiver, and who sees the whole task."""
    party = visibility.acting("array[f.from_agency, f.to_agency]", "f")
    return f"({visibility.cleared('f')} and ({party} or {visibility.task_full(caller)}))"


async def list_referrals(
    executor: Executor, caller: Caller, keys: Keys, asked: Mapping[str, Any], *, limit: int, cursor: str | None
) -> Page:
    """The referrals a caller may see, newest first; raises CursorMismatch, InvalidParameter.

    `asked` are filters: `task` (one id), `status`, `from_agency`, `to_agency` (any of); None is not asked.
    """
    given = {name: one for name, one in asked.items() if one is not None}
    await filters.require_known(executor, given)
    keyset = Keyset("f.recorded_at", "f.id", True, binding(caller, "referrals", given), keys, limit, cursor)
    where = [visible(caller), *(_FILTERS[name] for name in given)]
    values = {**given, **visibility.reach(caller)}
    return await read_page(executor, keyset, columns=COLUMNS, source=FROM, where=where, given=values)


async def list_task_referrals(
    executor: Executor, caller: Caller, keys: Keys, id: UUID, *, limit: int, cursor: str | None
) -> Page:
    """The referrals of a task that the caller may see; raises NotFound if the task is not visible."""
    await load_task(executor, caller, id)
    return await list_referrals(executor, caller, keys, {"task": id}, limit=limit, cursor=cursor)


async def load_referral(executor: Executor, caller: Caller, id: UUID) -> Row:
    """A referral as the caller may see it; raises NotFound."""
    return await one(
        executor,
        f"select {COLUMNS}, f.recused_offices as _recused {FROM} where f.id = :id and {visible(caller)}",
        id=id,
        **visibility.reach(caller),
    )


async def show_referral(executor: Executor, caller: Caller, id: UUID) -> dict[str, Any]:
    """A referral with the moves open to this caller; raises NotFound."""
    found = await load_referral(executor, caller, id)
    return {**without_place(found), "available_transitions": await open_moves(executor, caller, found)}


async def open_moves(executor: Executor, caller: Caller, referral: Row) -> list[dict[str, Any]]:
    """The moves of an open referral that this caller may make."""
    if referral["status"] not in workflow.OPEN_REFERRAL:
        return []
    task = await load_task(executor, caller, referral["task"])
    own = f"/v1/referrals/{referral['id']}/"
    return [move for move in available(caller, task) if move["href"].startswith(own)]


async def show_answered(writer: Writer, caller: Caller, id: UUID) -> dict[str, Any]:
    """A referral after its answer, which its own writer may always see."""
    found = await one(writer, f"select {COLUMNS} {FROM} where f.id = :id", id=id)
    return {**found, "available_transitions": await open_moves(writer, caller, found)}
