"""Statistics: the tasks a caller may see, and their clocks, counted.

What a summary does not show can't be counted out of it either: there is null in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from app.db import Executor, rows
from app.errors import Fault, InvalidParameter
from app.rules import workflow
from app.rules.buckets import AGES, LATENESS, Age, Lateness
from app.rules.caller import Caller
from app.rules.clocks import ClockStatus
from app.schemas.statistics import ClockDimension, DeadlineStatisticsQuery, Dimension, TaskStatisticsQuery
from app.schemas.tasks import TaskFilters
from app.services import filters, listing, past, visibility

_AT: Final = "cast(:at as timestamptz)"
#: What changes in the life of a task, as of now or as of an instant.
_NOW: Final = {"status": "t.status", "accountable": "t.accountable"}
_THEN: Final = {name: f"p.state ->> '{name}'" for name in _NOW}
_DISTRICT: Final = "case when length(t.region_code) >= 8 then left(t.region_code, 8) end"
#: A task may belong to several stages and have several clocks: it stands once for each of them, where these are asked.
_BELONGING: Final = f"""
    staged as (
        select n.id, s.code as stage from seen n
            join (stage s join election e on e.code = s.election_code)
            on {listing.STAGE_HOLDS.format(places="n.places", day="n.day")}
        where n.whole
        union select l.task_id, v.stage from seen n join task_vulnerability l on l.task_id = n.id
            join vulnerability v on v.id = l.vulnerability_id
        where n.whole and v.stage is not null and {visibility.register_visible("vulnerability", "v")}
    ), clocked as (
        select distinct c.task_id as id, c.status as deadline_status from seen n join deadline c on c.task_id = n.id
        where n.whole and {{now}}
    )"""
_SEVERAL: Final[Mapping[StrEnum, str]] = {Dimension.STAGE: "staged", Dimension.DEADLINE_STATUS: "clocked"}
_CLOCK: Final = (
    "c.code, c.kind, c.status, case when w.whole then t.accountable end as accountable,"
    " case when c.status in ({void}) then null when {late} <= interval '0' or c.status in ({paused})"
    " then '{not_late}' {bounds} else '{older}' end as lateness"
)


async def count_tasks(executor: Executor, caller: Caller, query: TaskStatisticsQuery) -> dict[str, Any]:
    """How many tasks there are by each dimension, and by several together; raises InvalidParameter."""
    if query.as_of is not None:
        await past.require_askable(executor, query, query.as_of)
    at = query.as_of or datetime.now(UTC)
    seen = _tasks(_NOW if query.as_of is None else _THEN)
    belonging = _BELONGING.format(now="true" if query.as_of is None else "false")  # no clock is told of the past
    return await _count(executor, caller, query, _Counted(Dimension, seen, more=f", {belonging}"), at=at)


async def count_deadlines(executor: Executor, caller: Caller, query: DeadlineStatisticsQuery) -> dict[str, Any]:
    """How many clocks these tasks have by each dimension, and by several together; raises InvalidParameter."""
    if query.as_of is not None:
        raise InvalidParameter(errors=[_OF_TODAY])
    late = f"coalesce(c.met_at, {_AT}) - c.due_at"
    clocks = _CLOCK.format(
        late=late,
        void=f"'{ClockStatus.VOID}'",
        paused=f"'{ClockStatus.PAUSED}'",
        not_late=Lateness.NOT_LATE,
        older=Lateness.OLDER,
        bounds=" ".join(f"when {late} <= interval '{days} days' then '{name}'" for name, days in LATENESS),
    )
    counted = _Counted(ClockDimension, clocks, joined="join deadline c on c.task_id = t.id and w.whole")
    return await _count(executor, caller, query, counted, at=datetime.now(UTC))


_OF_TODAY: Final = Fault(
    "not_as_of",
    "Clocks are counted as they stand now.",
    "Batas waktu dihitung menurut keadaan sekarang.",
    parameter="as_of",
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is counted (SQL): `columns` of each task, or of what is `joined` to it; `more` is what they belong to."""

    dimensions: type[StrEnum]
    columns: str
    joined: str = ""
    more: str = ""


async def _count(
    executor: Executor,
    caller: Caller,
    query: TaskStatisticsQuery | DeadlineStatisticsQuery,
    counted: _Counted,
    *,
    at: datetime,
) -> dict[str, Any]:
    """Count the tasks that are asked for in one statement."""
    await filters.require_known(executor, query.model_dump(include={*TaskFilters.model_fields}, exclude_none=True))
    source, where, values = listing.relation(caller, query)
    found = await rows(
        executor,
        f"with seen as materialized (select {counted.columns} {source} join region z on z.code = t.region_code"
        f" {counted.joined} where {where}){counted.more}"
        f" {' union all '.join(_tallies(counted.dimensions, query.group_by))}",
        at=at,
        **values,
    )
    return {
        "at": at,
        "total": next(one["count"] for one in found if one["dimension"] == "total"),
        "by": {one.value: _tallied(found, one.value) for one in counted.dimensions},
        "groups": None if query.group_by is None else _groups(found, query.group_by),
    }


def _tasks(column: dict[str, str]) -> str:
    """What is said of each task."""
    bounds = " ".join(f"when {_AT} - t.effective_at <= interval '{days} days' then '{age}'" for age, days in AGES)
    ended = ", ".join(f"'{one}'" for one in sorted(workflow.ENDED))
    return (
        f"t.id, w.whole, t.region_path as places, {column['status']} as status, t.category,"
        f" {column['accountable']} as accountable, {_DISTRICT} as district,"
        f" {listing.EVENT_DAY.format(zone='z.time_zone')} as day,"
        f" case when not w.whole then null when {column['status']} in ({ended}) then '{Age.ENDED}' {bounds}"
        f" else '{Age.OLDER}' end as age"
    )


def _tallies(dimensions: type[StrEnum], group_by: Sequence[StrEnum] | None) -> Iterator[str]:
    """One SELECT for each section: `dimension`, the values (`told`), and how many."""
    yield "select 'total' as dimension, cast('{}' as text[]) as told, count(*) as count from seen"
    for one in dimensions:
        yield _tally(one.value, [one])
    if group_by is not None:
        yield _tally("groups", group_by)


def _tally(name: str, dimensions: Sequence[StrEnum]) -> str:
    several = (f"left join {_SEVERAL[one]} using (id)" for one in dimensions if one in _SEVERAL)
    listed = ", ".join(one.value for one in dimensions)
    return f"select '{name}', array[{listed}], count(*) from seen {' '.join(several)} group by {listed}"


def _tallied(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    tallies = [{"value": one["told"][0], "count": one["count"]} for one in found if one["dimension"] == name]
    return sorted(tallies, key=lambda one: (-one["count"], one["value"] is None, one["value"]))


def _groups(found: list[dict[str, Any]], dimensions: Sequence[StrEnum]) -> list[dict[str, Any]]:
    names = [one.value for one in dimensions]
    groups = [one for one in found if one["dimension"] == "groups"]
    groups.sort(key=lambda one: (-one["count"], [value or "" for value in one["told"]]))
    return [{"values": dict(zip(names, group["told"], strict=True)), "count": group["count"]} for group in groups]
