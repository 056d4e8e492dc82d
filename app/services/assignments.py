"""Assignments: who was accountable, supporting, informed, from when to when, under which mandate row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Executor, Row, Writer, row, rows
from app.rules.vocabulary import AssignmentRole


@dataclass(frozen=True, slots=True)
class Party:
    """The agency to be accountable under a mandate row, and those that support it or are informed."""

    agency: str
    mandate: str
    supporting: tuple[str, ...]
    informed: tuple[str, ...]


_END_ACCOUNTABLE: Final = """
    update assignment set period = tstzrange(lower(period), :at), ended_recorded_at = now()
    where task_id = :task_id and role = 'accountable' and upper_inf(period) returning id
"""
_BEGIN_ACCOUNTABLE: Final = """
    insert into assignment (id, task_id, agency, role, mandate, period)
    values (:id, :task_id, :agency, 'accountable', :mandate, tstzrange(:at, null)) returning id
"""
# who stays is neither ended nor begun
_SUPPORT: Final = """
    with wanted (id, role, agency) as (
        select * from unnest(cast(:ids as uuid[]), cast(:as_roles as text[]), cast(:agencies as text[]))
    ), ended as (
        update assignment a set period = tstzrange(lower(a.period), :at), ended_recorded_at = now()
        where a.task_id = :task_id and a.role <> 'accountable' and upper_inf(a.period)
            and not exists (select from wanted w where w.role = a.role and w.agency = a.agency)
    )
    insert into assignment (id, task_id, agency, role, mandate, period)
    select w.id, :task_id, w.agency, w.role, :mandate, tstzrange(:at, null) from wanted w
    where not exists (select from assignment a where a.task_id = :task_id and a.role = w.role
        and a.agency = w.agency and upper_inf(a.period))
    returning id
"""


async def hand_over(writer: Writer, task_id: UUID, party: Party, *, at: datetime) -> None:
    """Make an agency accountable from `at` on: the one before it ends at that instant, without gap or overlap."""
    await row(writer, _END_ACCOUNTABLE, task_id=task_id, at=at)
    await row(
        writer, _BEGIN_ACCOUNTABLE, id=uuid7(), task_id=task_id, agency=party.agency, mandate=party.mandate, at=at
    )
    await support(writer, task_id, party, at=at)


async def support(writer: Writer, task_id: UUID, party: Party, *, at: datetime) -> None:
    """Make supporting and informed agencies those of the party from `at` on; who stays keeps its period."""
    wanted = [(AssignmentRole.SUPPORTING.value, agency) for agency in party.supporting]
    wanted += [(AssignmentRole.INFORMED.value, agency) for agency in party.informed]
    await rows(
        writer,
        _SUPPORT,
        task_id=task_id,
        ids=[uuid7() for _ in wanted],
        as_roles=[role for role, _ in wanted],
        agencies=[agency for _, agency in wanted],
        mandate=party.mandate,
        at=at,
    )


async def list_assignments(executor: Executor, task_id: UUID, *, until: datetime | None) -> list[Row]:
    """Every assignment of a task that was recorded by then, in order."""
    return await rows(
        executor,
        "select agency, role, mandate, lower(period) as from_at,"
        " case when cast(:until as timestamptz) is null or ended_recorded_at <= :until then upper(period) end as to_at"
        " from assignment where task_id = :task_id and not isempty(period)"
        " and (cast(:until as timestamptz) is null or recorded_at < :until) order by lower(period), role, agency",
        task_id=task_id,
        until=until,
    )


async def last_handed_over(executor: Executor, task_id: UUID, agencies: Any) -> datetime | None:
    """When one of these agencies last ended as accountable, by the database's clock."""
    found = await row(
        executor,
        "select max(ended_recorded_at) as ended from assignment"
        " where task_id = :task_id and role = 'accountable' and agency = any(:agencies)",
        task_id=task_id,
        agencies=list(agencies),
    )
    return found["ended"] if found else None
