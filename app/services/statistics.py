"""Statistics: the tasks a caller may see, counted; what a summary does not show can't be counted out of it either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from app.db import Executor, keys_of, rows
from app.rules import workflow
from app.rules.buckets import AGES, Age
from app.rules.caller import Caller
from app.schemas.statistics import Dimension, TaskStatisticsQuery
from app.services import filters, listing, past, visibility

_ENDED: Final = ", ".join(f"'{one}'" for one in sorted(workflow.ENDED))
#: What changes in the life of a task, as of now or as of an instant.
_NOW: Final = {"status": "t.status", "accountable": "t.accountable"}
_THEN: Final = {name: f"p.state ->> '{name}'" for name in _NOW}
_STAGES: Final = (
    "array(select distinct v.stage from task_vulnerability l join vulnerability v on v.id = l.vulnerability_id"
    f" where l.task_id = t.id and w.whole and v.stage is not null and {visibility.register_visible('vulnerability', 'v')})"
)
_DISTRICT: Final = "case when length(t.region_code) >= 8 then left(t.region_code, 8) end"


async def count_tasks(executor: Executor, caller: Caller, query: TaskStatisticsQuery) -> dict[str, Any]:
    """How many tasks there are by each dimension, and by several together; raises InvalidParameter."""
    if query.as_of is not None:
        past.require_askable(query, query.as_of)
    await filters.require_known(executor, query.model_dump(exclude_none=True))
    source, where, values = listing.sought(caller, keys_of(executor), query)
    at = query.as_of or datetime.now(UTC)
    found = await rows(
        executor,
        f"with seen as materialized (select {_seen(_NOW if query.as_of is None else _THEN)} {source} where {where}),"
        " counted as materialized (select seen.*, s.stage from seen left join lateral unnest(stages) s (stage) on true)"
        f" {' union all '.join(_tallies(query.group_by))}",
        at=at,
        **values,
    )
    return {
        "at": at,
        "total": next(one["count"] for one in found if one["dimension"] == "total"),
        "by": {one.value: _tallied(found, one.value) for one in Dimension},
        "groups": None if query.group_by is None else _groups(found, query.group_by),
    }


def _seen(column: dict[str, str]) -> str:
    return (
        f"{column['status']} as status, {column['accountable']} as accountable, t.category as category,"
        f" {_DISTRICT} as district, {_STAGES} as stages, {_age(column['status'])} as age"
    )


def _age(status: str) -> str:
    bounds = " ".join(
        f"when cast(:at as timestamptz) - t.effective_at <= interval '{days} days' then '{age}'" for age, days in AGES
    )
    return f"case when not w.whole then null when {status} in ({_ENDED}) then '{Age.ENDED}' {bounds} else '{Age.OLDER}' end"


def _tallies(group_by: Sequence[Dimension] | None) -> Iterable[str]:
    """One SELECT for each section: `dimension`, its values (`told`), and how many."""
    yield "select 'total' as dimension, cast('{}' as text[]) as told, count(*) as count from seen"
    for one in Dimension:
        yield _tally(one.value, [one])
    if group_by is not None:
        yield _tally("groups", group_by)


def _tally(name: str, dimensions: Sequence[Dimension]) -> str:
    # only where stages are counted does a task stand once for each of them
    relation = "counted" if Dimension.STAGE in dimensions else "seen"
    listed = ", ".join(one.value for one in dimensions)
    return f"select '{name}', array[{listed}], count(*) from {relation} group by {listed}"


def _tallied(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    tallies = [{"value": one["told"][0], "count": one["count"]} for one in found if one["dimension"] == name]
    return sorted(tallies, key=lambda one: (-one["count"], one["value"] is None, one["value"]))


def _groups(found: list[dict[str, Any]], dimensions: Sequence[Dimension]) -> list[dict[str, Any]]:
    groups = [one for one in found if one["dimension"] == "groups"]
    groups.sort(key=lambda one: (-one["count"], [value or "" for value in one["told"]]))
    return [
        {"values": dict(zip([one.value for one in dimensions], group["told"], strict=True)), "count": group["count"]}
        for group in groups
    ]
