"""Statistics over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from app import answers
from app.deps import Caller, Reader
from app.guard import guarded, needs
from app.lagging import may_lag
from app.rules.policy import Permission as P
from app.schemas.statistics import (
    DeadlineStatistics,
    DeadlineStatisticsQuery,
    TaskStatistics,
    TaskStatisticsQuery,
)
from app.services import statistics

router = guarded(prefix="/v1/statistics", tags=["statistics"])


@router.get(
    "/tasks",
    operation_id="countTasks",
    summary="Count tasks",
    response_model=TaskStatistics,
    dependencies=[needs(P.TASK_LIST), may_lag()],
)
async def count_tasks(reader: Reader, caller: Caller, query: Annotated[TaskStatisticsQuery, Query()]) -> Response:
    """The tasks that the list shows you with the same filters, counted by each dimension in one answer.

    `district` is the kecamatan, null for what concerns a wider region; `age` is that of open tasks since they were
    logged; a task counts in each stage in which it falls and by each status of its clocks. `group_by` counts by several
    dimensions together, so that nobody asks again and again.
    """
    return answers.counted(await statistics.count_tasks(reader, caller, query))


@router.get(
    "/deadlines",
    operation_id="countDeadlines",
    summary="Count clocks",
    response_model=DeadlineStatistics,
    dependencies=[needs(P.DEADLINE_READ), may_lag()],
)
async def count_deadlines(
    reader: Reader, caller: Caller, query: Annotated[DeadlineStatisticsQuery, Query()]
) -> Response:
    """The clocks of the tasks that the list shows you whole with the same filters, counted in one answer.

    `lateness` is how long after its end a clock was met, or how far behind that end it is now; a paused one is never
    late.
    """
    return answers.counted(await statistics.count_deadlines(reader, caller, query))
