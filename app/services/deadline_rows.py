"""Clock rows: their columns, loading through visibility, how they are counted and shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows
from app.rules import clocks, deadlines, policy
from app.rules.caller import Caller
from app.rules.clocks import ClockAction, ClockMove, ClockStatus, Trait
from app.rules.deadlines import Unit
from app.schemas.deadlines import DeadlineListItem
from app.services import visibility
from app.services.task_rows import load_task, load_written, take_task

_OF_THE_LAW: Final = """array(select jsonb_build_object('instrument', i.id, 'article', b.article, 'title', i.title_id)
    from deadline_rule b join legal_instrument i on i.id = b.instrument_id where b.code = c.code
        or c.extended_at is not null and b.code in (select x.other from deadline_relation x
            where x.code = c.code and x.relation = 'extended_by') order by b.code) as legal_basis"""
_COLUMNS: Final[Mapping[str, str]] = {
    **{name: f'c."{name}"' for name in DeadlineListItem.model_fields},
    "task": "c.task_id as task",
    "task_reference": "t.reference as task_reference",
    "responsible_role": "q.responsible_role",
    "verified": "q.verified",
    "legal_basis": _OF_THE_LAW,
}
#: What a list shows of a clock `c`.
COLUMNS: Final = ", ".join(_COLUMNS.values())
#: What one clock shows and the rules need beyond that.
WHOLE: Final = f"{COLUMNS}, c.arithmetic, c.pausable, clock_timestamp() as now"
_SHOWN: Final = (*DeadlineListItem.model_fields, "arithmetic")


def source(caller: Caller) -> str:
    """SQL: where clocks `c` come from, with their task and rule; to be narrowed by `visible`."""
    return (
        f"{visibility.tasks(caller)} join deadline c on c.task_id = t.id left join deadline_rule q on q.code = c.code"
    )


def visible(caller: Caller) -> str:
    """SQL: the caller sees the whole task of a clock of `source`, and so the clock."""
    return f"({visibility.task_visible(caller)} and w.whole)"


async def load(executor: Executor, caller: Caller, id: UUID) -> Row:
    """A clock as the caller may see it; raises NotFound."""
    return await one(
        executor,
        f"select {WHOLE} {source(caller)} where c.id = :id and {visible(caller)}",
        id=id,
        **visibility.reach(caller),
    )


async def take(writer: Writer, caller: Caller, id: UUID) -> tuple[Row, Row]:
    """A clock and its task, on which the transaction works from here on; raises NotFound."""
    clock = await load(writer, caller, id)
    return clock, await take_task(writer, caller, clock["task"])


async def show_deadline(executor: Executor, caller: Caller, id: UUID) -> dict[str, Any]:
    """A clock with its arithmetic and the moves open to this caller; raises NotFound."""
    clock = await load(executor, caller, id)
    return shown(caller, await load_task(executor, caller, clock["task"]), clock)


async def list_of_task(executor: Executor, caller: Caller, id: UUID) -> list[dict[str, Any]]:
    """The clocks of a task by their end; raises NotFound, ClassificationDenied."""
    task = await load_task(executor, caller, id)
    visibility.require_full(task)
    found = await rows(
        executor,
        f"select {WHOLE} {source(caller)} where c.task_id = :id and {visible(caller)} order by c.due_at, c.id",
        id=id,
        **visibility.reach(caller),
    )
    return [shown(caller, task, clock) for clock in found]


async def written(writer: Writer, caller: Caller, task_id: UUID, ids: list[UUID]) -> list[dict[str, Any]]:
    """Clocks just written, for their own writer even where a read would need a clearance."""
    task = await load_written(writer, caller, task_id)
    found = await rows(
        writer,
        f"select {WHOLE} {source(caller)} where c.id = any(:ids) order by c.due_at, c.id",
        ids=ids,
        **visibility.reach(caller),
    )
    return [shown(caller, task, clock) for clock in found]


def shown(caller: Caller, task: Row, clock: Row) -> dict[str, Any]:
    """The representation of a clock."""
    return {**{name: clock[name] for name in _SHOWN}, "available_transitions": available(caller, task, clock)}


def available(caller: Caller, task: Row, clock: Row) -> list[dict[str, Any]]:
    """The moves of a clock that are open to this caller now."""
    held = visibility.standings(caller, task)
    return [
        {
            "action": move.action,
            "method": "POST",
            "href": f"/v1/deadlines/{clock['id']}/transitions",
            "requires": list(move.requires),
        }
        for move in lawful(clock)
        if policy.may(caller.role, move.permission, held)
    ]


def lawful(clock: Row) -> tuple[ClockMove, ...]:
    """The moves of a clock that are lawful now, whoever asks."""
    return clocks.lawful(ClockStatus(clock["status"]), traits(clock)) if is_open(clock) else ()


def move_of(clock: Row, action: ClockAction) -> ClockMove | None:
    """The row that lets an action happen to a clock now, or None."""
    return next((move for move in lawful(clock) if move.action is action), None)


def is_open(clock: Row) -> bool:
    """Whether a clock still counts."""
    return clock["met_at"] is None and clock["voided_at"] is None


def traits(clock: Row) -> frozenset[Trait]:
    """What holds of an open clock besides its status."""
    stands_still = bool(clock["pauses"]) and clock["pauses"][-1]["ended"] is None
    found = {
        Trait.STANDS_STILL: stands_still,
        Trait.MAY_PAUSE: not stands_still and _waited(clock) < clock["pausable"],
        Trait.MAY_EXTEND: clock["extension"] is not None and clock["extended_at"] is None,
    }
    return frozenset(trait for trait, holds in found.items() if holds)


def _waited(clock: Row) -> int:
    """How many days a clock stood still so far, in its zone."""
    zone = deadlines.ZONES[clock["time_zone"]]
    ended = ((one.began, one.ended) for one in pauses_of(clock) if one.ended)
    return sum((to.astimezone(zone).date() - since.astimezone(zone).date()).days for since, to in ended)


def spelled(at: datetime) -> str:
    """An instant as pauses spell it: in UTC, with `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def pauses_of(clock: Mapping[str, Any]) -> list[deadlines.Pause]:
    """The pauses of a clock, as the arithmetic takes them."""
    return [
        deadlines.Pause(
            datetime.fromisoformat(one["began"]), datetime.fromisoformat(one["ended"]) if one["ended"] else None
        )
        for one in clock["pauses"]
    ]


def counted(clock: Mapping[str, Any], calendar: deadlines.Calendar) -> dict[str, Any]:
    """The columns that follow from the inputs of a statutory clock: when it is due, and how that was counted."""
    found = deadlines.compute(
        deadlines.Limit(
            clock["limit"],
            Unit(clock["unit"]),
            extension=clock["extension"] if clock["extended_at"] else 0,
            pausable=clock["pausable"],
        ),
        start=clock["started_at"],
        zone=deadlines.ZONES[clock["time_zone"]],
        calendar=calendar,
        pauses=pauses_of(clock),
    )
    due = found.due_at.astimezone(UTC)
    return {
        "due_at": due,
        "provisional": found.provisional,
        "arithmetic": [
            {"on": str(step.on), "count": step.count, "because": step.because, "holiday": step.holiday}
            for step in found.steps
        ],
        "calendar_version": calendar.version,
        "approaches_at": deadlines.approaches_at(Unit(clock["unit"]), start=clock["started_at"], due=due),
    }


def due_again(clock: Row, changed: Mapping[str, Any]) -> dict[str, Any]:
    """How an open clock stands once these columns are as they will be: with time again, it is watched anew."""
    pauses = changed.get("pauses", clock["pauses"])
    still = pauses[-1] if pauses and pauses[-1]["ended"] is None else None
    status = clocks.ticking(ClockStatus(clock["status"]), due=changed["due_at"], now=clock["now"], still=still)
    again = {"approached": False} if changed["due_at"] != clock["due_at"] else {}
    return {**changed, **again, "status": status, **({} if status is ClockStatus.BREACHED else {"breached_at": None})}


def days_of(arithmetic: list[Row]) -> set[date]:
    """The days that an arithmetic looked at."""
    return {date.fromisoformat(step["on"]) for step in arithmetic}
