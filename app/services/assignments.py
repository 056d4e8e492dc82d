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
_END_REST: Final = """
    update assignment set period = tstzrange(lower(period), :at), ended_recorded_at = now()
    where task_id = :task_id and role = :role and upper_inf(period) and agency <> all(:agencies) returning id
"""
_BEGIN: Final = """
    insert into assignment (id, task_id, agency, role, mandate, period)
    select new.id, :task_id, new.agency, :role, :mandate, tstzrange(:at, null)
    from unnest(cast(:ids as uuid[]), cast(:agencies as text[])) as new(id, agency)
    where not exists (select from assignment a where a.task_id = :task_id and a.role = :role
        and a.agency = new.agency and upper_inf(a.period))
    returning id
"""


async def hand_over(writer: Writer, task_id: UUID, party: Party, *, at: datetime) -> None:
    """Make an agency accountable from `at` on: the one before it ends at that instant, without gap or overlap."""
    await row(writer, _END_ACCOUNTABLE, task_id=task_id, at=at)
    await _begin(writer, task_id, AssignmentRole.ACCOUNTABLE, (party.agency,), party.mandate, at)
    await support(writer, task_id, party, at=at)


async def support(writer: Writer, task_id: UUID, party: Party, *, at: datetime) -> None:
    """Make supporting and informed agencies those of the party from `at` on; who stays keeps its period."""
    parts = ((AssignmentRole.SUPPORTING, party.supporting), (AssignmentRole.INFORMED, party.informed))
    for role, agencies in parts:
        await row(writer, _END_REST, task_id=task_id, role=role, agencies=list(agencies), at=at)
        await _begin(writer, task_id, role, agencies, party.mandate, at)


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


async def _begin(
    writer: Writer, task_id: UUID, role: AssignmentRole, agencies: tuple[str, ...], mandate: str, at: datetime
) -> None:
    if agencies:
        ids = [uuid7() for _ in agencies]
        await rows(writer, _BEGIN, task_id=task_id, role=role, mandate=mandate, at=at, ids=ids, agencies=list(agencies))
