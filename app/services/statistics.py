"""Statistics: the tasks a caller may see, and their clocks, counted.

What a summary does not show can't be counted out of it either: there is null in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
#: A task may belong to several stages and have several clocks: it stands once for each of them, where these are asked.
#: Zones and stages are found for each region and day, however many tasks there are; links and clocks are few, and come
#: first. Where elections are held no deeper, places need be told apart no deeper.
_BELONGING: Final = f"""
    zoned as materialized (
        select p.region_code, r.time_zone,
            left(p.region_code, (select coalesce(max(length(e.region_code)), 0) from election e)) as place
        from (select distinct region_code from seen where whole) p join region r on r.code = p.region_code
    ), dated as not materialized (
        select {{columns}}, n.id, n.whole, z.place, cast(n.moment at time zone z.time_zone as date) as day
        from seen n left join zoned z on n.whole and z.region_code = n.region_code
    ), held as materialized (
        select p.place, e.code as election from (select distinct place from zoned) p
            join (select distinct length(region_code) as deep from election) k on length(p.place) >= k.deep
            join election e on e.region_code = left(p.place, k.deep)
        union all select p.place, e.code from (select distinct place from zoned) p
            join election e on e.region_code is null
    ), staged as materialized (
        select n.place, n.day, array_agg(s.code order by s.code) as stages
        from (select distinct place, day from dated where whole) n join held h using (place)
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
            c.clocks as deadline_status
        from dated n left join staged p on p.place = n.place and p.day = n.day
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
        await past.require_askable(executor, query, query.as_of)
    at = query.as_of or datetime.now(UTC)
    seen = _tasks(_NOW if query.as_of is None else _THEN)
    belonging = _BELONGING.format(
        now="true" if query.as_of is None else "false",  # no clock is told of the past
        columns=", ".join(f"n.{one}" for one in Dimension if one not in _SEVERAL),
    )
    await _require_known(executor, query)
    tasks = await listing.counted(executor, caller, query)
    return await _count(executor, tasks, query, _Counted(Dimension, seen, more=f", {belonging}", of="told"), at=at)


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
    await _require_known(executor, query)
    # clocks are few beside tasks: theirs are looked up, not all of them looked through
    return await _count(executor, listing.relation(caller, query), query, counted, at=datetime.now(UTC))


async def _require_known(executor: Executor, query: TaskFilters) -> None:
    await filters.require_known(executor, query.model_dump(include={*TaskFilters.model_fields}, exclude_none=True))


_OF_TODAY: Final = Fault(
    "not_as_of",
    "Clocks are counted as they stand now.",
    "Batas waktu dihitung menurut keadaan sekarang.",
    parameter="as_of",
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is counted (SQL): `columns` of each task, or of what is `joined` to it; `more` makes `of` them what is."""

    dimensions: type[StrEnum]
    columns: str
    joined: str = ""
    more: str = ""
    of: str = "seen"


async def _count(
    executor: Executor,
    tasks: tuple[str, str, dict[str, Any]],
    query: TaskStatisticsQuery | DeadlineStatisticsQuery,
    counted: _Counted,
    *,
    at: datetime,
) -> dict[str, Any]:
    """Count, in one pass, what is said of some tasks: whence they come, which of them, and the parameters of both."""
    source, where, values = tasks
    asked: list[Sequence[StrEnum]] = [[], *([one] for one in counted.dimensions)]
    if query.group_by is not None and query.group_by not in asked:
        asked.append(query.group_by)
    names = ", ".join(counted.dimensions)
    sets = ", ".join(f"({', '.join(one)})" for one in asked)
    found = await rows(
        executor,
        f"with seen as materialized (select {counted.columns} {source} {counted.joined} where {where}){counted.more}"
        f" select {names}, grouping({names}) as _without, count(*) as _count from {counted.of}"
        f" group by grouping sets ({sets})",
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
        f"t.id, w.whole, t.region_code, {column['status']} as status, t.category,"
        f" {column['accountable']} as accountable, {_DISTRICT} as district,"
        " coalesce(d.event_at, t.effective_at) as moment,"
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
