"""Task rows: their columns as this caller sees them, loading through visibility, the compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, utc
from app.rules.caller import Caller
from app.schemas.tasks import TaskFields, TaskSummaryFields
from app.services import visibility

FULL_FIELDS: Final = tuple(TaskFields.model_fields)
SUMMARY_FIELDS: Final = tuple(TaskSummaryFields.model_fields)

#: The members of a task on the wire as columns of `task t left join referral r`.
COLUMNS: Final[Mapping[str, str]] = {
    **{name: f"t.{name}" for name in FULL_FIELDS},
    "region": "t.region_code as region",
    "vulnerabilities": f"array(select v.id from task_vulnerability l join vulnerability v on v.id = l.vulnerability_id"
    f" where l.task_id = t.id and {visibility.register_visible('v')} order by 1) as vulnerabilities",
    "meeting": f"(select m.id from meeting m where m.id = t.meeting and {visibility.register_visible('m')}) as meeting",
    "decision": "(select d.id from decision d join meeting m on m.id = d.meeting_id where d.id = t.decision"
    f" and {visibility.register_visible('m')}) as decision",
    "open_referral": "case when r.id is not null then jsonb_build_object('id', r.id, 'from_agency', r.from_agency,"
    " 'to_agency', r.to_agency, 'status', r.status, 'function', r.function, 'variant', r.variant,"
    f" 'mandate', r.mandate, 'effective_at', {utc('r.effective_at')}) end as open_referral",
}
FROM: Final = "from task t left join referral r on r.id = t.open_referral"
_INTERNAL: Final = """
    t.region_code, t.region_path, t.readers, t.summary_readers, t.recused_offices, t.resolved_by,
    t.last_effective_at, t.chosen_supporting, t.proposed_owner, clock_timestamp() as now,
    r.id is not null and not exists (
        select from client c where c.status = 'active' and (c.agency = r.to_agency
            or c.agency in (select m.agency from member m where m.body = r.to_agency))) as receiver_has_no_client,
    array(select q.required_fact from closing_requirement q
        where q.category = t.category and q.function = t.function order by 1) as required_facts
"""


def columns(caller: Caller, names: tuple[str, ...] = FULL_FIELDS) -> str:
    """The select list that shows these members of a task to a caller."""
    access = f"case when {visibility.task_full(caller)} then 'full' else 'summary' end as access"
    return ", ".join(access if name == "access" else COLUMNS[name] for name in names)


async def load_task(executor: Executor, caller: Caller, id: UUID) -> Row:
    """A task as the caller may see it, with what the rules need to know; raises NotFound if it is not visible."""
    return await one(
        executor,
        f"select {columns(caller)}, {_INTERNAL} {FROM} where t.id = :id and {visibility.task_visible(caller)}",
        id=id,
        **visibility.reach(caller),
    )


async def load_written(writer: Writer, caller: Caller, id: UUID) -> Row:
    """A task just written, for its own writer even where a read would need a clearance; raises NotFound."""
    return await one(
        writer, f"select {columns(caller)}, {_INTERNAL} {FROM} where t.id = :id", id=id, **visibility.reach(caller)
    )
