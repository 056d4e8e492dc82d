"""The facts of clocks: how they began and how they moved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.db import Writer
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.services import log

_BEGUN: Final = (
    *("kind", "code", "status", "clock_starts_at", "started_at", "due_at", "provisional", "calendar_version"),
)


async def record_start(
    writer: Writer, caller: Caller, clock: Mapping[str, Any], at: datetime, more: dict[str, Any]
) -> None:
    """Enter the fact that a clock began; `more` is what is said beside it."""
    said = {name: clock[name] for name in _BEGUN}
    await _record(writer, caller, EventKind.DEADLINE_STARTED, clock, at, (None, 1), {**said, **more})


async def record_move(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    clock: Mapping[str, Any],
    changed: Mapping[str, Any],
    at: datetime,
    more: dict[str, Any],
) -> None:
    """Enter the fact that a clock stands otherwise: `clock` as it was, `changed` what is new, its version included."""
    due = changed.get("due_at", clock["due_at"])
    said = {"code": clock["code"], "was": clock["status"], "status": changed.get("status", clock["status"])}
    said |= {"due_at": due} | ({"due_before": clock["due_at"]} if due != clock["due_at"] else {})
    await _record(writer, caller, kind, clock, at, (clock["version"], changed["version"]), {**said, **more})


async def _record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    clock: Mapping[str, Any],
    at: datetime,
    versions: tuple[int | None, int],
    said: dict[str, Any],
) -> None:
    await log.record(
        writer,
        caller,
        kind,
        on="deadline",
        id=clock["id"],
        task_id=clock["task_id"] if "task_id" in clock else clock["task"],
        effective_at=at,
        versions=versions,
        payload=said,
    )
