"""Tasks on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.rules.clocks import ClockKind, ClockStatus
from app.rules.vocabulary import (
    Access,
    CaseOutcome,
    Classification,
    Function,
    Priority,
    ReferralStatus,
    RequestedClassification,
    Status,
    SubjectKind,
)
from app.schemas.shares import ShareInput, one_each
from app.schemas.transitions import AvailableTransition
from app.schemas.types import (
    SEARCH,
    AgencyCode,
    Code,
    Command,
    Cursor,
    ExternalReference,
    Instant,
    Limit,
    Line,
    Matched,
    Prose,
    QueryInstant,
    RegionCode,
    SearchText,
    Shown,
    absent,
    distinct,
    split,
)


class TaskInput(Command):
    """A mitigation task to log. The law decides who owns it; `proposed_owner` is checked, not trusted."""

    title: Line
    description: Prose
    category: Code
    subcategory: Code | None = None
    function: Function
    variant: Code | None = Field(None, description="A variant of the mandate matrix, e.g. `crime`.")
    subject_kind: SubjectKind | None = Field(None, description="Whom the case is about; decides recusals.")
    region: RegionCode
    polling_station: Annotated[str, Field(pattern=r"^[0-9]{1,4}$")] | None = None
    event_at: Instant | None = Field(None, description="When the matter happened.")
    effective_at: Instant | None = Field(None, description="When the task was logged in fact; default now.")
    due_at: Instant | None = Field(None, description="When it is planned to be done; a clock is set apart from it.")
    classification: RequestedClassification | None = Field(
        None, description="Default: the category's. A client without clearance may log `rahasia` but not read it again."
    )
    shares: Annotated[list[ShareInput], AfterValidator(one_each), Field(max_length=50)] = []
    priority: Priority = Priority.MEDIUM
    vulnerabilities: Annotated[list[UUID], AfterValidator(distinct), Field(max_length=50)] = []
    meeting: UUID | None = None
    supporting: Annotated[list[AgencyCode], AfterValidator(distinct), Field(max_length=50)] | None = Field(
        None, description="A subset of the mandate's supporting agencies; default all of them."
    )
    external_reference: ExternalReference | None = Field(None, description="Your own number; unique in your agency.")
    proposed_owner: AgencyCode | None = None
    draft: bool = Field(default=False, strict=True)


class TaskPatch(Command):
    """Changes of a task (JSON merge patch). What decides ownership can't be changed: cancel and log anew."""

    title: Line = absent()
    description: Prose = absent()
    priority: Priority = absent()
    due_at: Instant | None = None
    polling_station: Annotated[str, Field(pattern=r"^[0-9]{1,4}$")] | None = None
    external_reference: ExternalReference | None = None
    classification: RequestedClassification = absent("May be raised; only the logger lowers it.")
    vulnerabilities: Annotated[list[UUID], AfterValidator(distinct), Field(max_length=50)] = absent()


class OpenReferral(Shown):
    """The referral that waits for an answer."""

    id: UUID
    from_agency: str
    to_agency: str
    status: ReferralStatus
    function: Function
    variant: str | None
    mandate: str
    effective_at: datetime


class NextDeadline(Shown):
    """The open clock that ends first, one that ran out included; `open` is how many there are."""

    id: UUID
    kind: ClockKind
    code: str | None
    status: ClockStatus
    due_at: datetime
    provisional: bool
    open: int


class TaskFields(Shown):
    """What a party sees of a task."""

    access: Literal[Access.FULL]
    id: UUID
    reference: str
    title: str
    description: str
    category: str
    subcategory: str | None
    function: Function
    variant: str | None
    subject_kind: SubjectKind | None
    region: str
    polling_station: str | None
    event_at: datetime | None
    due_at: datetime | None
    classification: Classification
    priority: Priority
    vulnerabilities: list[UUID]
    meeting: UUID | None
    decision: UUID | None
    external_reference: str | None
    logged_by: str
    holder: str
    accountable: str | None
    mandate: str | None
    mandate_ended: bool = Field(description="The mandate ended and the law names no successor: the owner keeps it.")
    supporting: list[str]
    informed: list[str]
    status: Status
    outcome: CaseOutcome | None
    note: str | None
    facts: dict[str, Any]
    open_referral: OpenReferral | None
    next_deadline: NextDeadline | None
    effective_at: datetime
    recorded_at: datetime
    updated_at: datetime
    version: int


class TaskSummaryFields(Shown):
    """What a coordinator or a previous owner sees of a task."""

    access: Literal[Access.SUMMARY]
    id: UUID
    reference: str
    category: str
    function: Function
    region: str
    status: Status
    priority: Priority
    accountable: str | None
    due_at: datetime | None


class Task(TaskFields):
    """A task, with the moves that are open to this caller."""

    available_transitions: list[AvailableTransition]


class TaskSummary(TaskSummaryFields):
    """The summary of a task, with the moves that are open to this caller."""

    available_transitions: list[AvailableTransition]


class TaskListItem(TaskFields):
    """A task in a list; read it alone for its moves."""


class TaskSummaryListItem(TaskSummaryFields):
    """The summary of a task in a list."""


class Count(Shown):
    """How many there are in all; `at_least` when counting stopped early."""

    value: int
    relation: Literal["exact", "at_least"]


class TaskPage(Shown):
    """A page of tasks; with `fields` each item has those members only, so that members required here may be missing."""

    items: list[TaskListItem | TaskSummaryListItem]
    next_cursor: str | None
    count: Count | None
    matched: Matched


AS_OF: Final = (
    "As it stood at this instant, by when things happened (`effective_at`, itself included) and not by when they were"
    " recorded; seen by your access of today, with its links to the register of today, and without moves and clocks."
    " Not in the future, nor in a year whose facts were retired (`told_from` of the refusal says from when on it is);"
    " what had not begun is not found."
)
AS_OF_LIST: Final = (
    f"{AS_OF} Filters ask for the state of then; `party`, `updated_after`, `deadline_status` and the sorts by"
    " `updated_at` and `due_at` are refused with it."
)
Several = BeforeValidator(split)
SortKey = Literal[
    "updated_at", "-updated_at", "effective_at", "-effective_at", "due_at", "-due_at", "recorded_at", "-recorded_at"
]


def _known_fields(names: list[str]) -> list[str]:
    unknown = sorted(set(names) - TaskFields.model_fields.keys())
    if unknown:
        known = ", ".join(TaskFields.model_fields)
        raise PydanticCustomError(
            "unknown_field",
            "{en}",
            {"en": f"Name members of a task: {known}.", "id": f"Sebutkan isian tugas: {known}."},
        )
    return names


class TaskFilters(BaseModel):
    """Filters of tasks: comma is any of, different parameters are all of."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[list[Status] | None, Several] = None
    accountable: Annotated[list[AgencyCode] | None, Several] = None
    holder: Annotated[list[AgencyCode] | None, Several] = None
    logged_by: Annotated[list[AgencyCode] | None, Several] = None
    supporting: Annotated[list[AgencyCode] | None, Several] = None
    referred_to: Annotated[list[AgencyCode] | None, Several] = None
    party: Literal["me"] | None = Field(None, description="`me`: tasks in which your agency has a part.")
    category: Annotated[list[Code] | None, Several] = None
    function: Annotated[list[Function] | None, Several] = None
    priority: Annotated[list[Priority] | None, Several] = None
    classification: Annotated[list[Classification] | None, Several] = None
    vulnerability: UUID | None = None
    meeting: UUID | None = None
    stage: Code | None = Field(
        None,
        description="A stage of an election in the task's region: its event, or else its logging, lies in the stage's"
        " days (a day lies in several), or a vulnerability that it mitigates belongs to the stage.",
    )
    external_reference: ExternalReference | None = None
    region: RegionCode | None = Field(None, description="That region and all below it.")
    created_after: QueryInstant | None = Field(None, description="Logged (effective_at) at or after.")
    created_before: QueryInstant | None = Field(None, description="Logged (effective_at) before.")
    updated_after: QueryInstant | None = Field(None, description="Changed at or after.")
    due_before: QueryInstant | None = Field(
        None, description="Planned to be done (`due_at`) before; what has no such date is not found."
    )
    due_after: QueryInstant | None = Field(None, description="Planned to be done (`due_at`) at or after.")
    deadline_status: Annotated[list[ClockStatus] | None, Several] = Field(
        None, description="Tasks with a clock that stands so, of the law or agreed."
    )
    as_of: QueryInstant | None = Field(None, description=AS_OF_LIST)
    q: SearchText | None = Field(None, description=f"{SEARCH} The words of a task are those that it holds today.")


class TaskQuery(TaskFilters):
    """What the task list is asked for: filters, order, page."""

    sort: SortKey | None = Field(None, description="Default `-updated_at`; with `as_of`, `-effective_at`.")
    limit: Limit = 50
    cursor: Cursor = None
    fields: Annotated[list[str] | None, Several, AfterValidator(_known_fields)] = Field(
        None,
        description="Members to show, by comma: any of TaskListItem. Items then have these alone, a summary those of"
        " them that it has; `access` and `id` too must be named.",
    )
    count: Literal["none", "estimate", "exact"] = Field(
        "none",
        description="`exact` counts all; `estimate` stops at 10,000 and then says `at_least`; `none`: `count` is null.",
    )

    @property
    def order(self) -> str:
        """The sort key asked for, or the default."""
        return self.sort or ("-updated_at" if self.as_of is None else "-effective_at")
