"""Statistics over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from app import answers
from app.deps import Caller, Reader
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.statistics import TaskStatistics, TaskStatisticsQuery
from app.services import statistics

router = guarded(prefix="/v1/statistics", tags=["statistics"])


@router.get(
    "/tasks",
    operation_id="countTasks",
    summary="Count tasks",
    response_model=TaskStatistics,
    dependencies=[needs(P.TASK_LIST)],
)
async def count_tasks(reader: Reader, caller: Caller, query: Annotated[TaskStatisticsQuery, Query()]) -> Response:
    """The tasks that the list shows you with the same filters, counted by each dimension in one answer.

    `district` is the kecamatan, null for what concerns a wider region; `age` is that of open tasks since they were
    logged; a task counts in each stage of its vulnerabilities. `group_by` counts by several dimensions together.
    """
    return answers.counted(await statistics.count_tasks(reader, caller, query))
