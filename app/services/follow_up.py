"""The follow-up (tindak lanjut) of a meeting: what was decided, which tasks came of it, and how far these are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, rows
from app.rules.caller import Caller
from app.schemas.follow_up import FollowUpDecision, FollowUpTask
from app.services import log, meetings, visibility
from app.services.task_rows import COLUMNS
from app.sql import limit_literal

#: More tasks than a meeting ever had; a page that people print ends somewhere.
_MOST: Final = 500
_TASK: Final = ", ".join(
    (
        "t.decision as _decision",
        *(COLUMNS[name] for name in FollowUpTask.model_fields if name in COLUMNS),
        f"case when w.whole then {log.LAST_ACT} end as last_act",
    )
)


async def show_follow_up(executor: Executor, caller: Caller, id: UUID) -> dict[str, Any]:
    """A meeting with its decisions, the tasks of each and those that cite the meeting alone; raises NotFound."""
    found = await meetings.show_meeting(executor, caller, id)
    decisions = found.pop("decisions")
    tasks = await rows(
        executor,
        f"select {_TASK} {visibility.tasks(caller)} where {visibility.task_visible(caller)}"
        " and (t.decision = any(:decisions) or t.meeting = :meeting and w.whole)"
        f" order by t.effective_at, t.id limit {limit_literal(_MOST)}",
        decisions=[decision["id"] for decision in decisions],
        meeting=id,
        **visibility.reach(caller),
    )
    shown, made = tasks[:_MOST], {decision["id"] for decision in decisions}
    return {
        "at": datetime.now(UTC),
        "meeting": found,
        "decisions": [_decided(decision, shown) for decision in decisions],
        "other_tasks": [_task(task) for task in shown if task["_decision"] not in made],
        "complete": len(tasks) <= _MOST,
    }


def _decided(decision: Row, tasks: list[Row]) -> Row:
    kept = {name: decision[name] for name in FollowUpDecision.model_fields if name != "tasks"}
    return {**kept, "tasks": [_task(task) for task in tasks if task["_decision"] == decision["id"]]}


def _task(task: Row) -> Row:
    return {name: task[name] for name in FollowUpTask.model_fields}


async def names(executor: Executor, follow_up: dict[str, Any]) -> dict[tuple[str, str], Row]:
    """How people call what stands in a follow-up by its code: by list and code, `label_id` and `label_en`."""
    tasks = [*follow_up["other_tasks"], *(task for one in follow_up["decisions"] for task in one["tasks"])]
    meeting = follow_up["meeting"]
    agencies = {meeting["host"], *(one["agency"] for one in meeting["participants"])}
    agencies |= {one["agency"] for one in follow_up["decisions"]}
    agencies |= {task[name] for task in tasks for name in ("holder", "accountable") if task[name]}
    agencies |= {task["last_act"]["agency"] for task in tasks if task["last_act"]} - {None}
    found = await rows(
        executor,
        "select 'agency' as list, code, name_id as label_id, coalesce(name_en, name_id) as label_en from agency"
        " where code = any(:agencies)"
        " union all select 'region', code, name, name from region where code = any(:regions)"
        " union all select 'zone', code, time_zone, time_zone from region where code = any(:regions)"
        " union all select enumeration, code, label_id, label_en from enumeration_value"
        " where enumeration in ('task_status', 'priority', 'function', 'case_outcome')",
        agencies=[*agencies],
        regions=[*{meeting["region"], *(task["region"] for task in tasks)}],
    )
    return {(one["list"], one["code"]): one for one in found}
