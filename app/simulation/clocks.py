"""The clocks of a task: those its owner agrees on, those that the receipt of a referral starts, and how they end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from app.rules import clocks, deadlines
from app.rules.clocks import ClockKind, ClockStatus
from app.rules.facts import EventKind
from app.simulation.telling import By, Row, Telling

_WORKER: Final = By(None, None, "worker")
_BEGUN: Final = ("kind", "code", "status", "clock_starts_at", "started_at", "due_at", "provisional", "calendar_version")
#: How long the background process takes to notice.
_ROUND: Final = timedelta(seconds=2)
_INSTANT: Final = timedelta(milliseconds=1)


def agree(telling: Telling, by: By, zone: str, *, due: datetime, reason: str) -> None:
    """Agree on when a task is to be done."""
    start = telling.at
    clock = _clock(
        telling,
        by,
        kind=ClockKind.AGREED.value,
        started_at=start,
        due_at=due,
        time_zone=zone,
        approaches_at=deadlines.approaches_at(None, start=start, due=due),
        reason=reason,
    )
    _began(telling, by, clock, start, {"reason": reason})


def receive(telling: Telling, by: By, zone: str, referral: Row, offices: tuple[str, str]) -> None:
    """Start the clocks for which the receipt of this referral is the event that the law names."""
    nation, task = telling.nation, telling.task
    events = nation.receipts.get(offices, ())
    start = referral["received_at"] or telling.at
    for rule in nation.rules:
        fits = rule["function"] == task["function"] and rule["category"] in {"", task["category"]}
        running = {one["code"] for one in telling.rows["deadline"] if one["met_at"] is None}
        if rule["clock_starts_at"] not in events or rule["total"] or not fits or rule["code"] in running:
            continue
        given = {name: rule[name] for name in ("code", "clock_starts_at", "limit", "unit", "extension", "pausable")}
        inputs: dict[str, Any] = {
            **given, "started_at": start, "time_zone": zone, "pauses": [], "extended_at": None
        }  # fmt: skip
        counted = nation.count(inputs, nation.calendar)
        clock = _clock(telling, by, kind=ClockKind.STATUTORY.value, **inputs, **counted)
        _began(telling, by, clock, start, {"referral": referral["id"]})


def _clock(telling: Telling, by: By, **given: Any) -> Row:
    clock: Row = {
        "id": telling.dice.id(telling.now),
        "task_id": telling.task["id"],
        "kind": None,
        "code": None,
        "status": ClockStatus.RUNNING.value,
        "clock_starts_at": None,
        "started_at": None,
        "due_at": None,
        "provisional": False,
        "limit": None,
        "unit": None,
        "extension": None,
        "extended_at": None,
        "pausable": 0,
        "pauses": [],
        "time_zone": None,
        "calendar_version": None,
        "arithmetic": [],
        "approaches_at": None,
        "approached": False,
        "breached_at": None,
        "met_at": None,
        "voided_at": None,
        "note": None,
        "reason": None,
        "set_by": by.agency,
        "recorded_at": telling.now,
        "updated_at": telling.now,
        "version": 1,
        **given,
    }
    telling.rows["deadline"].append(clock)
    return clock


def _began(telling: Telling, by: By, clock: Row, at: datetime, more: dict[str, Any]) -> None:
    said = {name: clock[name] for name in _BEGUN}
    kind, said = EventKind.DEADLINE_STARTED, {**said, **more}
    telling.fact(by, kind, on="deadline", id=clock["id"], versions=(None, 1), payload=said, at=at)


def watch(telling: Telling, clock: Row, *, until: datetime) -> None:
    """Say of a clock what the background process had said by then: that it approaches its end, that it ran out."""
    begun, due = clock["recorded_at"] + _ROUND, clock["due_at"]
    approached = max(clock["approaches_at"] + _ROUND, begun)
    if not clock["approached"] and approached < min(until, due):
        said = {"approached": True}
        _move(telling, _WORKER, EventKind.DEADLINE_APPROACHING, clock, {}, at=approached, now=approached, **said)
    if clock["status"] == ClockStatus.RUNNING and due < until:
        now = max(min(due + _ROUND, until - _INSTANT), begun)
        ended = {"status": ClockStatus.BREACHED.value, "breached_at": due}
        _move(telling, _WORKER, EventKind.DEADLINE_BREACHED, clock, {}, at=due, now=now, **ended)


def meet(telling: Telling, by: By, note: str) -> None:
    """Meet every open clock, before or after its end."""
    for clock in _open(telling):
        watch(telling, clock, until=telling.now)
        status = clocks.met(at=telling.at, due=clock["due_at"])
        late = clock["due_at"] if status is ClockStatus.BREACHED else None
        changed = {"status": status.value, "met_at": telling.at, "note": note, "breached_at": late}
        _move(telling, by, EventKind.DEADLINE_MET, clock, {"note": note}, at=telling.at, now=telling.now, **changed)


def void(telling: Telling, by: By) -> None:
    """Call off every open clock of a task that is cancelled."""
    for clock in sorted(_open(telling), key=lambda one: one["due_at"]):
        watch(telling, clock, until=telling.now)
        changed = {"status": ClockStatus.VOID.value, "voided_at": telling.at}
        why = {"because": "task_cancelled"}
        _move(telling, by, EventKind.DEADLINE_VOIDED, clock, why, at=telling.at, now=telling.now, **changed)


def leave(telling: Telling, *, until: datetime) -> None:
    """Let the clocks that nobody met run out."""
    for clock in _open(telling):
        watch(telling, clock, until=until)


def _open(telling: Telling) -> list[Row]:
    return [one for one in telling.rows["deadline"] if one["met_at"] is None and one["voided_at"] is None]


def _move(
    telling: Telling,
    by: By,
    kind: EventKind,
    clock: Row,
    more: dict[str, Any],
    *,
    at: datetime,
    now: datetime,
    **changed: Any,
) -> None:
    said = {"code": clock["code"], "was": clock["status"], "status": changed.get("status", clock["status"])}
    said |= {"due_at": clock["due_at"], **more}
    version = clock["version"]
    clock.update(changed, version=version + 1, updated_at=now)
    versions = (version, version + 1)
    telling.fact(by, kind, on="deadline", id=clock["id"], versions=versions, payload=said, at=at, now=now)
