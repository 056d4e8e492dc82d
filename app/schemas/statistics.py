"""Statistics on the wire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from app.rules.buckets import Age, Lateness
from app.rules.clocks import ClockKind, ClockStatus
from app.rules.vocabulary import Status
from app.schemas.tasks import Several, TaskFilters
from app.schemas.types import Shown, distinct


class Dimension(StrEnum):
    """By what tasks can be counted."""

    STATUS = "status"
    ACCOUNTABLE = "accountable"
    CATEGORY = "category"
    DISTRICT = "district"
    STAGE = "stage"
    AGE = "age"
    DEADLINE_STATUS = "deadline_status"


class ClockDimension(StrEnum):
    """By what the clocks of tasks can be counted."""

    CODE = "code"
    KIND = "kind"
    STATUS = "status"
    LATENESS = "lateness"
    ACCOUNTABLE = "accountable"


class TaskStatisticsQuery(TaskFilters):
    """Which tasks are counted, and by what together."""

    group_by: Annotated[list[Dimension] | None, Several, AfterValidator(distinct)] = Field(
        None, min_length=1, max_length=3, description="Up to three dimensions at once, e.g. `accountable,status`."
    )


class DeadlineStatisticsQuery(TaskFilters):
    """The clocks of which tasks are counted, and by what together."""

    group_by: Annotated[list[ClockDimension] | None, Several, AfterValidator(distinct)] = Field(
        None, min_length=1, max_length=3, description="Up to three dimensions at once, e.g. `code,lateness`."
    )


class Tally(Shown):
    """How many of one value; null where there is none, or where a summary does not show it."""

    value: str | None
    count: int


class StatusTally(Shown):
    """How many of one status."""

    value: Status
    count: int


class AgeTally(Shown):
    """How many of one age; null where a summary does not show it."""

    value: Age | None
    count: int


class ClockTally(Shown):
    """How many that have a clock which stands so; null where there is none, or where a summary does not show it."""

    value: ClockStatus | None
    count: int


class KindTally(Shown):
    """How many clocks of one kind."""

    value: ClockKind
    count: int


class LatenessTally(Shown):
    """How many clocks so late; null for those that are void."""

    value: Lateness | None
    count: int


class TaskTallies(Shown):
    """The same tasks counted by each dimension. One of several stages or clocks counts in each of these."""

    status: list[StatusTally]
    accountable: list[Tally]
    category: list[Tally]
    district: list[Tally]
    stage: list[Tally]
    age: list[AgeTally]
    deadline_status: list[ClockTally]


class DeadlineTallies(Shown):
    """The same clocks counted by each dimension."""

    code: list[Tally]
    kind: list[KindTally]
    status: list[ClockTally]
    lateness: list[LatenessTally]
    accountable: list[Tally]


class TaskGroup(Shown):
    """How many tasks of these values together, one of each dimension that was asked for."""

    values: dict[Dimension, str | None]
    count: int


class DeadlineGroup(Shown):
    """How many clocks of these values together, one of each dimension that was asked for."""

    values: dict[ClockDimension, str | None]
    count: int


class TaskStatistics(Shown):
    """How many tasks you may see, in all, by each dimension, and by several together where `group_by` asks for it."""

    at: datetime
    total: int
    by: TaskTallies
    groups: list[TaskGroup] | None


class DeadlineStatistics(Shown):
    """How many clocks you may see: in all, by each dimension, and by several together where `group_by` asks for it."""

    at: datetime
    total: int
    by: DeadlineTallies
    groups: list[DeadlineGroup] | None
