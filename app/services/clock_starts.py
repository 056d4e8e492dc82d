"""What starts clocks: the events that the law names, as agencies tell them or as a referral is one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from app.db import Row, Writer, one, rows
from app.errors import ClockRunning, NoSuchClock, TransitionNotAllowed, ValidationFailed
from app.models import metadata
from app.rules import policy, workflow
from app.rules.caller import Caller
from app.rules.clocks import ClockKind, ClockStatus
from app.rules.policy import Permission
from app.schemas.deadlines import ClockStartInput
from app.services import calendars, moments, records, visibility
from app.services.clock_facts import record_start
from app.services.deadline_rows import counted, written
from app.services.task_rows import take_task

_TABLE: Final = metadata.tables["deadline"]
#: Limits with what else the law says of them; `total` is one that merely extends another.
RULES: Final = """
    select q.*, coalesce(s.foreseen, false) as foreseen,
        coalesce((select p."limit" from deadline_relation r join deadline_rule p on p.code = r.other
            where r.code = q.code and r.relation = 'paused_by'), 0) as pausable,
        exists (select from deadline_relation r where r.other = q.code and r.relation = 'extended_by') as total,
        g.time_zone
    from deadline_rule q left join clock_start s on s.code = q.clock_starts_at
    left join region g on g.code = :region
"""
_OF_MATTER: Final = f"{RULES} where q.function = :function and q.category in ('', :category) order by q.code"
_BY_REFERRAL: Final = """
    select s.clock_starts_at from referral_clock_start s
    join agency f on f.code = :from_agency and f.office = s.from_office
    join agency a on a.code = :to_agency and a.office = s.to_office
"""


async def start_clocks(writer: Writer, caller: Caller, id: UUID, input: ClockStartInput) -> dict[str, Any]:
    """Tell an event from which the law counts: each limit for this category and function that starts there begins.

    Raises NotFound, PermissionDenied, TransitionNotAllowed, NoSuchClock, ClockRunning, ValidationFailed.
    """
    task = await take_task(writer, caller, id)
    policy.require(caller.role, Permission.DEADLINE_START, visibility.standings(caller, task))
    require_under_way(task, "start_clock")
    known = await rows(writer, _OF_MATTER, **_matter(task))
    wanted = _wanted(known, input)
    if not all(rule["foreseen"] for rule in wanted):
        moments.began_at(writer, input.occurred_at, now=task["now"], pointer="/occurred_at")
    begun = await begin(writer, caller, task, wanted, input.occurred_at)
    if not begun:
        raise ClockRunning(clock=", ".join(rule["code"] for rule in wanted))
    await writer.flush()
    return {
        "clock_starts_at": input.clock_starts_at,
        "occurred_at": input.occurred_at.astimezone(UTC),
        "deadlines": await written(writer, caller, id, begun),
    }


def require_under_way(task: Row, action: str) -> None:
    """Refuse to set clocks on a task that has ended; raises TransitionNotAllowed."""
    if task["status"] in workflow.ENDED:
        raise TransitionNotAllowed(action=action, current=task["status"], lawful=[])


def _matter(task: Row) -> dict[str, Any]:
    return {"category": task["category"], "function": task["function"], "region": task["region_code"]}


def _wanted(known: list[Row], input: ClockStartInput) -> list[Row]:
    """The limits that start at the event: those named, or all that are clocks of their own."""
    there = [rule for rule in known if rule["clock_starts_at"] == input.clock_starts_at]
    if not there:
        starts = sorted({rule["clock_starts_at"] for rule in known})
        raise NoSuchClock(clock_starts_at=input.clock_starts_at, starts=starts)
    if input.codes is None:
        return [rule for rule in there if not rule["total"]]
    wrong = records.unknown_among("deadline", "/codes", input.codes, [rule["code"] for rule in there])
    if wrong:
        raise ValidationFailed(errors=wrong)
    return [rule for rule in there if rule["code"] in input.codes]


async def start_by_referral(writer: Writer, caller: Caller, referral: Row, at: datetime) -> None:
    """Where the receipt of an accepted referral is itself the law's event, start its clocks from that receipt."""
    offices = {name: referral[name] for name in ("from_agency", "to_agency")}
    events = {one["clock_starts_at"] for one in await rows(writer, _BY_REFERRAL, **offices)}
    if not events:
        return
    task = await one(
        writer,
        "select id, category, function, region_code, clock_timestamp() as now from task where id = :id",
        id=referral["task"],
    )
    known = await rows(writer, _OF_MATTER, **_matter(task))
    found = [rule for rule in known if rule["clock_starts_at"] in events and not rule["total"]]
    if found:
        await begin(writer, caller, task, found, referral["received_at"] or at, referral=str(referral["id"]))


async def begin(
    writer: Writer, caller: Caller, task: Row, rules: list[Row], at: datetime, *, referral: str | None = None
) -> list[UUID]:
    """Start a clock of each rule on a task; those that run already, or ran from that very start, are left alone."""
    calendar = await calendars.current(writer)
    begun = []
    for rule in rules:
        inputs = {
            **{name: rule[name] for name in ("code", "clock_starts_at", "limit", "unit", "extension", "pausable")},
            "started_at": at.astimezone(UTC),
            "time_zone": rule["time_zone"],
            "pauses": [],
            "extended_at": None,
        }
        clock = {
            "id": uuid7(),
            "task_id": task["id"],
            "kind": ClockKind.STATUTORY,
            "status": ClockStatus.RUNNING,
            "set_by": caller.agency,
            "version": 1,
            "approached": False,
            **inputs,
            **counted(inputs, calendar),
        }
        done = await writer.execute(insert(_TABLE).values(**clock).on_conflict_do_nothing().returning(_TABLE.c.id))
        if done.scalar_one_or_none() is None:
            continue
        begun.append(clock["id"])
        more = {"referral": referral} if referral else {}
        await record_start(writer, caller, clock, min(at, task["now"]), more)
    return begun
