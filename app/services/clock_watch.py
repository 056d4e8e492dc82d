"""What watches the clocks: they approach their end, run out, and are counted anew when the calendar was corrected.

Each is claimed by the update that says so, in the transaction of its fact: whatever number of workers there is and
however they end, a clock is spoken of once.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import update

from app.db import Row, Writer, began, rows, value
from app.models import metadata
from app.rules import deadlines
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.services import calendars
from app.services.clock_facts import BEFORE, record_breach, record_move
from app.services.deadline_rows import counted, days_of, due_again
from app.services.versions import compare_and_set

_TABLE: Final = metadata.tables["deadline"]
#: How many clocks one round takes of each kind.
FULL: Final = 200
_BREACHED: Final = f"""
    update deadline c set status = 'breached', breached_at = c.due_at, version = c.version + 1, updated_at = now()
    from (select id, status from deadline where status in ('running', 'paused') and due_at < now()
        order by due_at limit {FULL} for update skip locked) o
    where c.id = o.id returning {BEFORE}
"""
_APPROACHING: Final = f"""
    update deadline c set approached = true, version = c.version + 1, updated_at = now()
    from (select id, status from deadline where status = 'running' and not approached
            and approaches_at <= now() and due_at >= now()
        order by approaches_at limit {FULL} for update skip locked) o
    where c.id = o.id returning {BEFORE}
"""
_OUTDATED: Final = f"""
    select *, task_id as task, clock_timestamp() as now from deadline where unit = 'working_day' and met_at is null
        and voided_at is null and calendar_version < :version order by id limit {FULL} for update skip locked
"""


async def breach(writer: Writer, *, by: Caller) -> int:
    """Say of each clock that ran out that it did; returns how many did."""
    found = await rows(writer, _BREACHED)
    for clock in found:
        await record_breach(writer, by, clock)
    return len(found)


async def approach(writer: Writer, *, by: Caller) -> int:
    """Say of each clock that is about to run out that it is; returns how many are. One that did is not spoken of."""
    found = await rows(writer, _APPROACHING)
    for clock in found:
        await record_move(writer, by, EventKind.DEADLINE_APPROACHING, clock, {}, await began(writer), {})
    return len(found)


async def recompute(writer: Writer, *, by: Caller) -> int:
    """Count the open clocks of an older calendar anew; returns how many were.

    One that is due at another instant says so and why; the others just name the new calendar.
    """
    newest = await value(writer, "select max(version) as version from calendar")
    if newest is None:
        return 0
    outdated = await rows(writer, _OUTDATED, version=newest)
    if outdated:
        calendar = await calendars.current(writer)
        for clock in outdated:
            await _recount(writer, by, clock, calendar)
    return len(outdated)


async def _recount(writer: Writer, by: Caller, clock: Row, calendar: deadlines.Calendar) -> None:
    new = counted(clock, calendar)
    said = ("due_at", "provisional")
    if all(new[name] == clock[name] for name in said):
        await _keep(writer, clock, new)
        return
    changed = due_again(clock, new)
    await compare_and_set(writer, "deadline", {"id": clock["id"]}, clock["version"], changed)
    why = {
        "because": "calendar_corrected",
        "calendar_before": clock["calendar_version"],
        "calendar_version": calendar.version,
        "days": await _days(writer, clock, new),
        "provisional": new["provisional"],
    }
    await record_move(writer, by, EventKind.DEADLINE_RECOMPUTED, clock, changed, datetime.now(UTC), why)


async def _keep(writer: Writer, clock: Row, new: dict[str, Any]) -> None:
    """Name the new calendar beside an end that stays what it was: nothing that anybody was told has changed."""
    named = {name: new[name] for name in ("calendar_version", "arithmetic")}
    await writer.execute(update(_TABLE).where(_TABLE.c.id == clock["id"]).values(**named))


async def _days(writer: Writer, clock: Row, new: dict[str, Any]) -> list[date]:
    """The days that the calendar has or has not any more since, among those that the clock was counted over."""
    found = await rows(
        writer,
        "select distinct unnest(added || removed) as day from calendar where version > :before order by 1",
        before=clock["calendar_version"],
    )
    return sorted({one["day"] for one in found} & (days_of(clock["arithmetic"]) | days_of(new["arithmetic"])))
