"""Statistics: the tasks a caller may see, and their clocks, counted.

What a summary does not show can't be counted out of it either: there is null in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import product
from typing import Any, Final

from app.db import Executor, Row, rows
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
#: Where elections are held no deeper than this, the places of tasks need be told apart no deeper.
_PLACE: Final = "left(t.region_code, (select max(length(e.region_code)) from election e))"
#: A task may belong to several stages and have several clocks: it stands once for each of them, where these are asked.
#: Stages are found for each place and day, however many tasks there are; links and clocks are few, and come first.
_BELONGING: Final = f"""
    held as materialized (
        select p.place, e.code as election from (select distinct place from seen where whole) p
            join election e on e.region_code is null or e.region_code = any(region_path(p.place))
    ), staged as materialized (
        select n.place, n.day, array_agg(s.code order by s.code) as stages
        from (select distinct place, day from seen where whole) n join held h using (place)
            join stage s on s.election_code = h.election and {listing.DAY_HELD.format(day="n.day")}
        group by n.place, n.day
    ), linked as materialized (
        select l.task_id as id, array_agg(v.stage) as stages from (
                select v.id, v.stage from vulnerability v
                where v.stage is not null and {visibility.register_visible("vulnerability", "v")} offset 0
            ) v join task_vulnerability l on l.vulnerability_id = v.id group by l.task_id
    ), clocked as materialized (
        select n.id, array_agg(distinct c.status order by c.status) as clocks
        from seen n join deadline c on c.task_id = n.id where n.whole and {{now}} group by n.id
    ), told as (
        select {{columns}}, case when l.id is null or not n.whole then p.stages else array(
            select unnest(p.stages) union select unnest(l.stages) order by 1) end as stage,
            case when n.whole then c.clocks end as deadline_status
        from seen n left join staged p on n.whole and p.place = n.place and p.day = n.day
            left join linked l on l.id = n.id left join clocked c on c.id = n.id
    )"""
_SEVERAL: Final = frozenset({Dimension.STAGE, Dimension.DEADLINE_STATUS})
_CLOCK: Final = (
    "c.code, c.kind, c.status, case when w.whole then t.accountable end as accountable,"
    " case when c.status in ({void}) then null when {late} <= interval '0' or c.status in ({paused})"
    " then '{not_late}' {bounds} else '{older}' end as lateness"
)


async def count_tasks(executor: Executor, caller: Caller, query: TaskStatisticsQuery) -> dict[str, Any]:
    """How many tasks there are by each dimension, and by several together; raises InvalidParameter."""
    if query.as_of is not None:
        past.require_askable(query, query.as_of)
    at = query.as_of or datetime.now(UTC)
    seen = _tasks(_NOW if query.as_of is None else _THEN)
    belonging = _BELONGING.format(
        now="true" if query.as_of is None else "false",  # no clock is told of the past
        columns=", ".join(f"n.{one}" for one in Dimension if one not in _SEVERAL),
    )
    return await _count(executor, caller, query, _Counted(Dimension, seen, more=f", {belonging}", of="told"), at=at)


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
    """What is counted (SQL): `columns` of each task, or of what is `joined` to it; `of` is counted, made of these by `more`."""

    dimensions: type[StrEnum]
    columns: str
    joined: str = ""
    more: str = ""
    of: str = "seen"


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
    source, where, values = await listing.counted(executor, caller, query)
    asked = [[], *([one] for one in counted.dimensions)]
    if query.group_by is not None and query.group_by not in asked:
        asked.append(query.group_by)
    names = ", ".join(counted.dimensions)
    sets = ", ".join(f"({', '.join(one)})" for one in asked)
    found = await rows(
        executor,
        f"with seen as materialized (select {counted.columns} {source} join region z on z.code = t.region_code"
        f" {counted.joined} where {where}){counted.more} select {names}, grouping({names}) as _without,"
        f" count(*) as _count from {counted.of} group by grouping sets ({sets})",
        at=at,
        **values,
    )
    tallies = {one: _tallied(found, counted.dimensions, [one]) for one in counted.dimensions}
    return {
        "at": at,
        "total": _tallied(found, counted.dimensions, [])[()],
        "by": {one.value: _listed(tallies[one]) for one in counted.dimensions},
        "groups": None if query.group_by is None else _groups(found, counted.dimensions, query.group_by),
    }


def _tasks(column: dict[str, str]) -> str:
    """What is said of each task."""
    bounds = " ".join(f"when {_AT} - t.effective_at <= interval '{days} days' then '{age}'" for age, days in AGES)
    ended = ", ".join(f"'{one}'" for one in sorted(workflow.ENDED))
    return (
        f"t.id, w.whole, {_PLACE} as place, {column['status']} as status, t.category,"
        f" {column['accountable']} as accountable, {_DISTRICT} as district,"
        f" {listing.EVENT_DAY.format(zone='z.time_zone')} as day,"
        f" case when not w.whole then null when {column['status']} in ({ended}) then '{Age.ENDED}' {bounds}"
        f" else '{Age.OLDER}' end as age"
    )


def _tallied(found: list[Row], dimensions: type[StrEnum], asked: Sequence[StrEnum]) -> Counter[tuple[Any, ...]]:
    """How many of each of these values together: who has several of one counts in each of them."""
    without = int("0" + "".join("01"[one not in asked] for one in dimensions), 2)
    tallies: Counter[tuple[Any, ...]] = Counter()
    for one in found:
        if one["_without"] == without:
            for told in product(*(_each(one[name]) for name in asked)):
                tallies[told] += one["_count"]
    return tallies


def _each(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def _listed(tallies: Counter[tuple[Any, ...]]) -> list[dict[str, Any]]:
    listed = [{"value": value, "count": count} for (value,), count in tallies.items()]
    return sorted(listed, key=lambda one: (-one["count"], one["value"] is None, one["value"]))


def _groups(found: list[Row], dimensions: type[StrEnum], asked: Sequence[StrEnum]) -> list[dict[str, Any]]:
    groups = _tallied(found, dimensions, asked).items()
    listed = sorted(groups, key=lambda one: (-one[1], [value or "" for value in one[0]]))
    names = [one.value for one in asked]
    return [{"values": dict(zip(names, told, strict=True)), "count": count} for told, count in listed]
