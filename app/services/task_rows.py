"""Task rows: their columns as this caller sees them, loading through visibility, the compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows
from app.rules.caller import Caller
from app.schemas.tasks import TaskFields, TaskSummaryFields
from app.services import visibility
from app.sql import utc

FULL_FIELDS: Final = tuple(TaskFields.model_fields)
SUMMARY_FIELDS: Final = tuple(TaskSummaryFields.model_fields)

#: What keys, sorts and rules need of every visible task, although a summary does not show it.
_OF_EVERY_TASK: Final = ("classification", "effective_at", "recorded_at", "updated_at", "version")

#: The members of a task on the wire as columns of `visibility.tasks`: what a summary shows in `t`, the rest in `d`.
COLUMNS: Final[Mapping[str, str]] = {
    **{name: f"d.{name}" for name in FULL_FIELDS},
    **{name: f"t.{name}" for name in (*SUMMARY_FIELDS, *_OF_EVERY_TASK)},
    **{name: f"coalesce(d.{name}, '{{}}') as {name}" for name in ("supporting", "informed")},
    "access": "case when w.whole then 'full' else 'summary' end as access",
    "region": "t.region_code as region",
    # the links first: a task has few, the register many
    "vulnerabilities": "array(select v.id from (select vulnerability_id from task_vulnerability where task_id = t.id"
    " offset 0) l join vulnerability v on v.id = l.vulnerability_id"
    f" where {visibility.register_visible('vulnerability', 'v')} order by 1) as vulnerabilities",
    "meeting": "(select m.id from meeting m where m.id = d.meeting"
    f" and {visibility.register_visible('meeting', 'm')}) as meeting",
    "decision": "(select s.id from decision s join meeting m on m.id = s.meeting_id where s.id = d.decision"
    f" and {visibility.register_visible('meeting', 'm')}) as decision",
    "open_referral": "case when r.id is not null then jsonb_build_object('id', r.id, 'from_agency', r.from_agency,"
    " 'to_agency', r.to_agency, 'status', r.status, 'function', r.function, 'variant', r.variant,"
    f" 'mandate', r.mandate, 'effective_at', {utc('r.effective_at')}) end as open_referral",
    "next_deadline": "(select jsonb_build_object('id', c.id, 'kind', c.kind, 'code', c.code, 'status', c.status,"
    f" 'due_at', {utc('c.due_at')}, 'provisional', c.provisional, 'open', count(*) over ())"
    " from deadline c where c.task_id = t.id and w.whole and c.met_at is null and c.voided_at is null"
    " order by c.due_at, c.id limit 1) as next_deadline",
}
_INTERNAL: Final = """
    t.region_code, t.region_path, t.readers, t.summary_readers, t.recused_offices, t.last_effective_at,
    d.resolved_by, d.chosen_supporting, d.proposed_owner, clock_timestamp() as now,
    r.id is not null and not app.has_client(r.to_agency) as receiver_has_no_client,
    array(select q.required_fact from closing_requirement q
        where q.category = t.category and q.function = t.function order by 1) as required_facts
"""


def columns(names: tuple[str, ...] = FULL_FIELDS) -> str:
    """The select list of these members of a task."""
    return ", ".join(COLUMNS[name] for name in names)


async def load_task(executor: Executor, caller: Caller, id: UUID) -> Row:
    """A task as the caller may see it, with what the rules need to know; raises NotFound if it is not visible."""
    return await _load(executor, caller, id, _INTERNAL, visibility.task_visible(caller))


async def take_task(writer: Writer, caller: Caller, id: UUID) -> Row:
    """The same, and the transaction may work on it from here on; raises NotFound."""
    return await _load(writer, caller, id, f"{_INTERNAL}, app.take_up(t.id)", visibility.task_visible(caller))


async def hold_tasks(writer: Writer, *, tasks: Iterable[UUID], referrals: Iterable[UUID]) -> None:
    """Lock, in one order for everybody, the tasks that the transaction will work on: those that it sees."""
    held = "t.id = any(:tasks) or t.id in (select r.task_id from referral r where r.id = any(:referrals))"
    taken = await rows(
        writer,
        f"select t.id, app.take_up(t.id) from task t where {held}",
        tasks=list(tasks),
        referrals=list(referrals),
    )
    await rows(
        writer,
        "select t.id from task t where t.id = any(:ids) order by t.id for no key update",
        ids=[one["id"] for one in taken],
    )


async def load_written(writer: Writer, caller: Caller, id: UUID) -> Row:
    """A task just written, for its own writer even where a read would need a clearance; raises NotFound."""
    return await _load(writer, caller, id, _INTERNAL, "true")


async def _load(executor: Executor, caller: Caller, id: UUID, more: str, condition: str) -> Row:
    return await one(
        executor,
        f"select {columns()}, {more} {visibility.tasks(caller)} where t.id = :id and {condition}",
        id=id,
        **visibility.reach(caller),
    )
