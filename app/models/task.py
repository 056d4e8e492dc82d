"""Tasks: the work, who held it when, with whom it is shared, what was said."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, document, found_by, identity, one_of, recorded, region_path, texts
from app.rules.vocabulary import Access, AssignmentRole, Classification, Priority, Status

_UNDER_MANDATE: Final = "status in ('accepted', 'in_progress', 'awaiting_info', 'resolved')"


class Task(SQLModel, table=True):
    """A mitigation task: held by its logger until the first acceptance, from then on by one accountable agency.

    `readers` and `summary_readers` are kept from assignments, referrals and shares by `services.visibility`.
    `mandate_checked` is the edition of the law that was last asked about it since its mandate ended.
    """

    __table_args__ = (
        one_of("status", Status),
        one_of("classification", Classification),
        one_of("priority", Priority),
        CheckConstraint("holder = coalesce(accountable, logged_by)", name="held"),
        CheckConstraint(
            "(accountable is null) = (accepted_at is null) and (accountable is null) = (mandate is null)",
            name="accountable_from_acceptance",
        ),
        CheckConstraint(
            "accountable is not null or status in ('draft', 'assigned', 'returned', 'cancelled')",
            name="work_has_an_owner",
        ),
        UniqueConstraint("logged_by", "external_reference"),
        # lists: a region and all below it
        Index("ix_task_region_code", "region_code"),
        # lists: their orders, each with its keyset; filters by holder and by meeting
        Index("ix_task_updated_at", "updated_at", "id"),
        Index("ix_task_effective_at", "effective_at", "id"),
        Index("ix_task_recorded_at", "recorded_at", "id"),
        Index("ix_task_due_at", text("coalesce(due_at, '9999-01-01 00:00:00+00'::timestamp with time zone)"), "id"),
        Index("ix_task_holder", "holder", "updated_at", "id"),
        Index("ix_task_meeting", "meeting", postgresql_where="meeting is not null"),
        # lists: filters that few tasks pass, together or alone; a reference of another system; events in a stage
        Index("ix_task_kind", "status", "category", "function", "priority", "classification"),
        Index("ix_task_external_reference", "external_reference", postgresql_where="external_reference is not null"),
        Index("ix_task_event_at", "event_at", postgresql_where="event_at is not null"),
        # what a mandate's end, or an agency's, moves; what waits for the law to name somebody
        Index("ix_task_under_mandate", "mandate", "mandate_checked", postgresql_where=_UNDER_MANDATE),
        Index("ix_task_accountable", "accountable", "mandate_checked", postgresql_where=_UNDER_MANDATE),
        Index("ix_task_mandate_ended", "mandate_checked", postgresql_where=f"mandate_ended and {_UNDER_MANDATE}"),
        # the tasks that a decision made
        Index("ix_task_decision", "decision", postgresql_where="decision is not null"),
    )
    id: UUID = identity()
    reference: str = Field(unique=True)
    title: str
    description: str
    category: str = Field(foreign_key="category.code")
    subcategory: str | None = Field(default=None, foreign_key="category.code")
    function: str
    variant: str | None = None
    subject_kind: str | None = None
    region_code: str = Field(foreign_key="region.code")
    region_path: list[str] = region_path()
    polling_station: str | None = None
    event_at: Instant | None = None
    due_at: Instant | None = None
    classification: str
    priority: str
    meeting: UUID | None = Field(default=None, foreign_key="meeting.id")
    decision: UUID | None = Field(default=None, foreign_key="decision.id")
    external_reference: str | None = None
    proposed_owner: str | None = Field(default=None, foreign_key="agency.code")
    chosen_supporting: list[str] | None = Field(default=None, sa_type=ARRAY(Text))
    logged_by: str = Field(foreign_key="agency.code")
    holder: str = Field(foreign_key="agency.code")
    accountable: str | None = Field(default=None, foreign_key="agency.code")
    mandate: str | None = Field(default=None, foreign_key="mandate.id")
    accepted_at: Instant | None = None
    mandate_ended: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    mandate_checked: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    supporting: list[str] = texts()
    informed: list[str] = texts()
    recused_offices: list[str] = texts()
    status: str
    outcome: str | None = None
    note: str | None = None
    facts: dict[str, Any] = document()
    resolved_by: UUID | None = Field(default=None, foreign_key="client.id")
    open_referral: UUID | None = None
    readers: list[str] = texts()
    summary_readers: list[str] = texts()
    effective_at: Instant
    last_effective_at: Instant
    recorded_at: datetime = recorded()
    updated_at: datetime = recorded()
    version: int = 1


_TABLE = SQLModel.metadata.tables["task"]
# searches by whoever reads the whole task, and by whoever reads its summary; and what they may read, without a word
found_by(
    _TABLE,
    "words",
    "title || ' ' || description || ' ' || coalesce(note, '') || ' ' || reference || ' '"
    " || coalesce(external_reference, '')",
    of="readers",
)
found_by(_TABLE, "brief", "reference", of="summary_readers")


class TaskVulnerability(SQLModel, table=True):
    """A vulnerability that a task mitigates."""

    __tablename__ = "task_vulnerability"
    task_id: UUID = Field(primary_key=True, foreign_key="task.id")
    # the tasks that mitigate a vulnerability
    vulnerability_id: UUID = Field(primary_key=True, foreign_key="vulnerability.id", index=True)


class Assignment(SQLModel, table=True):
    """Who was accountable, supporting or informed, from when to when (effective, half-open), under which mandate row.

    Migration: an exclusion constraint forbids two accountable agencies at one instant, a deferred trigger forbids gaps.
    """

    __table_args__ = (
        one_of("role", AssignmentRole),
        # who was accountable for a task
        Index("ix_assignment_task_id", "task_id", "role"),
    )
    id: UUID = identity()
    task_id: UUID = Field(foreign_key="task.id")
    agency: str = Field(foreign_key="agency.code")
    role: str
    mandate: str = Field(foreign_key="mandate.id")
    period: Range[datetime] = Field(sa_type=TSTZRANGE)
    recorded_at: datetime = recorded()
    ended_recorded_at: Instant | None = None


class Share(SQLModel, table=True):
    """A task shown to one more agency."""

    __table_args__ = (one_of("level", Access),)
    task_id: UUID = Field(primary_key=True, foreign_key="task.id")
    agency: str = Field(primary_key=True, foreign_key="agency.code")
    level: str
    shared_by: str = Field(foreign_key="agency.code")
    recorded_at: datetime = recorded()


class Comment(SQLModel, table=True):
    """Something said about a task; it does not change the task's version."""

    id: UUID = identity()
    # the comments of a task
    task_id: UUID = Field(foreign_key="task.id", index=True)
    body: str
    agency: str = Field(foreign_key="agency.code")
    client_id: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
