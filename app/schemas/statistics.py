"""Statistics on the wire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from app.rules.buckets import Age
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


class TaskStatisticsQuery(TaskFilters):
    """Which tasks are counted, and by what together."""

    group_by: Annotated[list[Dimension] | None, Several, AfterValidator(distinct)] = Field(
        None, min_length=1, max_length=3, description="Up to three dimensions at once, e.g. `accountable,status`."
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


class TaskTallies(Shown):
    """The same tasks counted by each dimension. A task of several stages counts in each of them."""

    status: list[StatusTally]
    accountable: list[Tally]
    category: list[Tally]
    district: list[Tally]
    stage: list[Tally]
    age: list[AgeTally]


class TaskGroup(Shown):
    """How many of these values together, one of each dimension that was asked for."""

    values: dict[Dimension, str | None]
    count: int


class TaskStatistics(Shown):
    """How many tasks you may see, in all, by each dimension, and by several together where `group_by` asks for it."""

    at: datetime
    total: int
    by: TaskTallies
    groups: list[TaskGroup] | None
