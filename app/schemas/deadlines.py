"""Clocks on the wire: time limits on tasks, how they were counted, what may be done with them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.rules.clocks import ClockAction, ClockKind, ClockStatus
from app.rules.deadlines import Reckoned, Unit
from app.schemas.mandates import LegalBasis
from app.schemas.tasks import Several
from app.schemas.types import (
    WHEN,
    AgencyCode,
    Code,
    Command,
    Cursor,
    Instant,
    Limit,
    Prose,
    QueryInstant,
    RegionCode,
    Shown,
    distinct,
)


class ClockStartInput(Command):
    """An event from which the law counts: each of its limits that starts there begins."""

    clock_starts_at: Code = Field(description="One of `/v1/reference/clock_start`.", examples=["report_registered"])
    occurred_at: Instant = Field(description="When it happened; a day that the law fixes may be told beforehand.")
    codes: Annotated[list[Code], AfterValidator(distinct), Field(max_length=20)] | None = Field(
        None, description="Only these limits of the law (`/v1/reference/deadline_rule`); default: all that start there."
    )


class AgreedClockInput(Command):
    """A clock that agencies agree on, as at a coordination meeting."""

    due_at: Instant
    reason: Prose = Field(description="What was agreed, and where.")
    started_at: Instant | None = Field(None, description="From when on it runs; default now.")


class AgreedClockPatch(Command):
    """Another end of a clock that was agreed. What the law sets nobody edits."""

    due_at: Instant
    reason: Prose


class ClockTransitionInput(Command):
    """A move of a clock. `available_transitions` says what each action requires."""

    action: ClockAction
    reason: Prose | None = None
    note: Prose | None = Field(None, description="The act by which the clock was met.")
    effective_at: Instant | None = Field(None, description=WHEN)


class ClockTransition(Shown):
    """A move of a clock that is open to you now: send it to `href` with the members that `requires` names."""

    action: ClockAction
    method: Literal["POST"]
    href: str
    requires: list[str]


class Pause(Shown):
    """While a clock stood still; `ended` null: it still does, at most as long as the law lets it."""

    began: datetime
    ended: datetime | None


class Step(Shown):
    """A line of the arithmetic: a day and its number, or null and why it does not count; of hours, how many by then."""

    on: date
    count: int | None
    because: Reckoned
    holiday: str | None


class DeadlineListItem(Shown):
    """A clock on a task. `due_at` is its last instant; `provisional`: it rests on days the calendar does not cover."""

    id: UUID
    task: UUID
    task_reference: str
    kind: ClockKind
    code: str | None
    responsible_role: str | None
    status: ClockStatus
    clock_starts_at: str | None
    started_at: datetime
    due_at: datetime
    provisional: bool
    limit: int | None
    unit: Unit | None
    extension: int | None
    extended_at: datetime | None
    pauses: list[Pause]
    time_zone: str
    calendar_version: int | None
    legal_basis: list[LegalBasis]
    verified: bool | None
    breached_at: datetime | None
    met_at: datetime | None
    voided_at: datetime | None
    note: str | None
    reason: str | None
    set_by: str | None
    recorded_at: datetime
    updated_at: datetime
    version: int


class Deadline(DeadlineListItem):
    """A clock with its arithmetic, step by step, and the moves that are open to you."""

    arithmetic: list[Step]
    available_transitions: list[ClockTransition]


class DeadlinePage(Shown):
    """A page of clocks, by their end."""

    items: list[DeadlineListItem]
    next_cursor: str | None


class TaskDeadlineList(Shown):
    """The clocks of a task, by their end, with their arithmetic."""

    items: list[Deadline]


class ClockStarted(Shown):
    """The event that was told, and the clocks that began."""

    clock_starts_at: str
    occurred_at: datetime
    deadlines: list[Deadline]


class Computation(Shown):
    """When a limit of the law would run out, and how that is counted. Nothing is changed by asking."""

    code: str
    clock_starts_at: str
    responsible_role: str
    category: str | None
    function: str
    started_at: datetime
    due_at: datetime
    provisional: bool
    limit: int
    unit: Unit
    extension: int | None
    extended: bool
    pauses: list[Pause]
    region: str
    time_zone: str
    calendar_version: int
    legal_basis: list[LegalBasis]
    verified: bool
    note: str | None
    arithmetic: list[Step]


class DeadlineQuery(BaseModel):
    """Filters of the list of clocks: comma is any of, different parameters are all of."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[list[ClockStatus] | None, Several] = None
    kind: ClockKind | None = None
    code: Annotated[list[Code] | None, Several] = None
    task: UUID | None = None
    accountable: Annotated[list[AgencyCode] | None, Several] = None
    region: RegionCode | None = Field(None, description="That region and all below it.")
    due_before: QueryInstant | None = Field(None, description="Running out before.")
    due_after: QueryInstant | None = Field(None, description="Running out at or after.")
    sort: Literal["due_at", "-due_at"] = "due_at"
    limit: Limit = 50
    cursor: Cursor = None


class ComputationQuery(BaseModel):
    """What to count: a limit of the law from a start, in the zone of a region."""

    model_config = ConfigDict(extra="forbid")

    code: Code = Field(description="A limit of `/v1/reference/deadline_rule`.")
    started_at: QueryInstant = Field(description="The event from which the law counts.")
    region: RegionCode
    paused_from: QueryInstant | None = Field(
        None, description="The clock stands still from here on; only what the law lets wait does."
    )
    resumed_at: QueryInstant | None = Field(None, description="Default: as late as the law lets it.")
    extended: bool = Field(False, description="With the extension that the law allows; refused where it knows none.")
