"""Contestant b's search and statistics: one statement each, written for the very answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from app.rules import workflow
from app.rules.buckets import AGES, Age
from app.services import listing

_BY: Final = ("status", "accountable", "category", "district", "stage", "age", "deadline_status")
_PLAIN: Final = ("status", "category", "accountable", "district", "age")
_ENDED: Final = ", ".join(f"'{one}'" for one in sorted(workflow.ENDED))
_BOUNDS: Final = " ".join(
    f"when $1::timestamptz - t.effective_at <= interval '{days} days' then '{age}'" for age, days in AGES
)


def statistics(*, seen: str, whole: str) -> str:
    """SQL: how many tasks there are by each dimension, in one pass over them; $1 is the instant."""
    sets = ", ".join(["()", *(f"({name})" for name in _PLAIN)])
    flags = {name: 31 - 2 ** (len(_PLAIN) - 1 - place) for place, name in enumerate(_PLAIN)}
    which = f"grouping({', '.join(_PLAIN)})"
    named = " ".join(f"when {flag} then '{name}'" for name, flag in flags.items())
    valued = " ".join(f"when {flag} then {name}" for name, flag in flags.items())
    deepest = "(select coalesce(max(length(region_code)), 0) from election)"
    held = f"{listing.DAY_HELD.format(day='p.day')} and (e.region_code is null or starts_with(p.place, e.region_code))"
    return f"""
        with seen as materialized (
            select t.id, {whole} as whole, left(t.region_code, {deepest}) as place, t.status, t.category,
                t.accountable, case when length(t.region_code) >= 8 then left(t.region_code, 8) end as district,
                cast(coalesce(t.event_at, t.effective_at) at time zone z.time_zone as date) as day,
                case when not {whole} then null when t.status in ({_ENDED}) then '{Age.ENDED}' {_BOUNDS}
                    else '{Age.OLDER}' end as age
            from task t join region z on z.code = t.region_code where {seen}
        ), linked as materialized (
            select n.id, array_agg(v.stage) as stages from seen n join task_vulnerability l on l.task_id = n.id
                join vulnerability v on v.id = l.vulnerability_id where n.whole and v.stage is not null group by n.id
        ), days as materialized (
            select n.place, n.day, n.whole, l.stages as more, count(*) as tasks
            from seen n left join linked l using (id) group by 1, 2, 3, 4
        ), staged as (
            select array(
                select s.code from stage s join election e on e.code = s.election_code where p.whole and {held}
                union select unnest(p.more)
            ) as stages, p.tasks from days p
        ), clocked as materialized (
            select distinct c.task_id as id, c.status from seen n join deadline c on c.task_id = n.id where n.whole
        )
        select case {which} {named} else 'total' end as dimension, case {which} {valued} end as value, count(*)
            from seen group by grouping sets ({sets})
        union all select 'stage', g.stage, cast(sum(p.tasks) as bigint)
            from staged p left join unnest(p.stages) g (stage) on true group by 2
        union all select 'deadline_status', status, count(*) from clocked group by 2
        union all select 'deadline_status', null, b.without from (
            select (select count(*) from seen) - count(distinct id) as without from clocked) b where b.without > 0
    """


def counted(found: Sequence[Any], at: datetime) -> dict[str, Any]:
    """The answer that these rows make."""
    by: dict[str, list[dict[str, Any]]] = {name: [] for name in _BY}
    total = 0
    for dimension, value, count in found:
        if dimension == "total":
            total = count
        else:
            by[dimension].append({"value": value, "count": count})
    for tallies in by.values():
        tallies.sort(key=lambda one: (-one["count"], one["value"] is None, one["value"]))
    return {"at": at, "total": total, "by": by, "groups": None}


def now() -> datetime:
    """The instant of the answer."""
    return datetime.now(UTC)


def found_by_words(*, whole: str, brief: str) -> str:
    """SQL: the newest tasks with these words ($1, text[]); of a summary the reference alone is searched."""
    match = "app.sought($1::text[], '{}', '{}', false)"
    tail = "order by t.updated_at desc, t.id desc limit 51"
    return (
        f"(select t.* from task t where t.words @@ {match} and {whole} {tail}) union all"
        f" (select t.* from task t where t.brief @@ {match} and {brief} {tail})"
    )
