"""The facts of clocks: how they began and how they moved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.db import Writer
from app.rules.caller import Caller
from app.rules.clocks import ClockStatus
from app.rules.facts import EventKind
from app.services import log

_BEGUN: Final = (
    *("kind", "code", "status", "clock_starts_at", "started_at", "due_at", "provisional", "calendar_version"),
)

#: SQL: what the fact of a move needs of a clock `c` that an UPDATE has changed, and that was `o` before it.
BEFORE: Final = "c.id, c.task_id as task, c.code, o.status, c.due_at, c.version - 1 as version"


async def record_start(
    writer: Writer, caller: Caller, clock: Mapping[str, Any], at: datetime, more: dict[str, Any]
) -> None:
    """Enter the fact that a clock began; `more` is what is said beside it."""
    said = {name: clock[name] for name in _BEGUN}
    task, versions = clock["task_id"], (None, 1)
    await _record(writer, caller, EventKind.DEADLINE_STARTED, clock["id"], task, at, versions, {**said, **more})


async def record_move(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    clock: Mapping[str, Any],
    changed: Mapping[str, Any],
    at: datetime,
    more: dict[str, Any],
) -> None:
    """Enter the fact that a clock stands otherwise: `clock` as it was, `changed` what is new."""
    due = changed.get("due_at", clock["due_at"])
    said = {"code": clock["code"], "was": clock["status"], "status": changed.get("status", clock["status"])}
    said |= {"due_at": due} | ({"due_before": clock["due_at"]} if due != clock["due_at"] else {})
    task, versions = clock["task"], (clock["version"], clock["version"] + 1)
    await _record(writer, caller, kind, clock["id"], task, at, versions, {**said, **more})


async def record_breach(writer: Writer, caller: Caller, clock: Mapping[str, Any]) -> None:
    """Enter the fact that a clock ran out, at its end, whenever that was noticed: `clock` as it was before."""
    changed = {"status": ClockStatus.BREACHED}
    await record_move(writer, caller, EventKind.DEADLINE_BREACHED, clock, changed, clock["due_at"], {})


async def _record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    id: UUID,
    task: UUID,
    at: datetime,
    versions: tuple[int | None, int],
    said: dict[str, Any],
) -> None:
    await log.record(
        writer,
        caller,
        kind,
        on="deadline",
        id=id,
        task_id=task,
        effective_at=at,
        versions=versions,
        payload=said,
    )
