"""Clocks on tasks: time limits that the law sets, and those that agencies agree on."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, identity, one_of, recorded, texts
from app.rules.clocks import ClockKind, ClockStatus
from app.rules.deadlines import Unit
from app.rules.vocabulary import Classification

OPEN = "met_at is null and voided_at is null"


class Deadline(SQLModel, table=True):
    """A clock on a task, with all that its arithmetic starts from and the arithmetic itself.

    `pauses` lists `{began, ended}`. The last three columns are its task's, kept by triggers: who reads the whole task
    reads its clocks.
    """

    __table_args__ = (
        one_of("kind", ClockKind),
        one_of("status", ClockStatus),
        one_of("unit", Unit),
        CheckConstraint("(kind = 'statutory') = (code is not null)", name="statutory_has_a_rule"),
        CheckConstraint("status <> 'met' or met_at is not null", name="met_at_some_time"),
        CheckConstraint("(status = 'void') = (voided_at is not null)", name="voided_at_some_time"),
        # no limit runs twice at once, nor is it told twice from one start
        Index("uq_deadline_open", "task_id", "code", unique=True, postgresql_where=OPEN),
        Index(
            "uq_deadline_started_at", "task_id", "code", "started_at", unique=True, postgresql_where="status <> 'void'"
        ),
        # the clocks of a task, and its nearest one
        Index("ix_deadline_task_id", "task_id", "due_at"),
        # lists: by the end, and by status
        Index("ix_deadline_due_at", "due_at", "id"),
        Index("ix_deadline_status", "status", "due_at", "id"),
        # what the background process watches
        Index("ix_deadline_approaches_at", "approaches_at", postgresql_where="status = 'running' and not approached"),
        Index("ix_deadline_calendar_version", "calendar_version", postgresql_where=f"unit = 'working_day' and {OPEN}"),
        # what an agency may read: row-level security
        Index("ix_deadline_readers", "readers", postgresql_using="gin"),
    )
    id: UUID = identity()
    task_id: UUID = Field(foreign_key="task.id")
    kind: str
    code: str | None = Field(default=None, foreign_key="deadline_rule.code")
    status: str
    clock_starts_at: str | None = None
    started_at: Instant
    due_at: Instant
    provisional: bool = False
    limit: int | None = None
    unit: str | None = None
    extension: int | None = None
    extended_at: Instant | None = None
    pausable: int = 0
    pauses: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    time_zone: str
    calendar_version: int | None = Field(default=None, foreign_key="calendar.version")
    arithmetic: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    approaches_at: Instant
    approached: bool = False
    breached_at: Instant | None = None
    met_at: Instant | None = None
    voided_at: Instant | None = None
    note: str | None = None
    reason: str | None = None
    set_by: str | None = Field(default=None, foreign_key="agency.code")
    recorded_at: datetime = recorded()
    updated_at: datetime = recorded()
    version: int = 1
    classification: str = Field(
        default=Classification.RAHASIA, sa_column_kwargs={"server_default": Classification.RAHASIA}
    )
    recused_offices: list[str] = texts(server_default="{}")
    readers: list[str] = texts(server_default="{}")
