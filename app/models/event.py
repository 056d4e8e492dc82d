"""The one log: immutable facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, document, identity, one_of, recorded
from app.rules.facts import EventKind


class Event(SQLModel, table=True):
    """One immutable fact. `recorded_at` is the database's clock, `effective_at` when it happened.

    `log_index` is its place in the one sequence, given by the sequencer.
    """

    __table_args__ = (
        one_of("kind", EventKind),
        # GET /v1/tasks/{id}/history reads the facts of one task in their order
        Index("ix_event_task_id", "task_id", "id", postgresql_where="task_id is not null"),
        Index("ix_event_object", "object_type", "object_id", "id"),
    )
    # nobody needs back what the database adds, and who enters a fact need not be allowed to read it
    __mapper_args__ = {"eager_defaults": False}
    id: UUID = identity()
    kind: str
    object_type: str
    object_id: str
    task_id: UUID | None = None
    agency: str | None = Field(default=None, foreign_key="agency.code")
    client_id: UUID | None = Field(default=None, foreign_key="client.id")
    acting_user: str | None = None
    request_id: str
    effective_at: Instant
    recorded_at: datetime = recorded()
    version_before: int | None = None
    version_after: int | None = None
    payload: dict[str, Any] = document()
    log_index: int | None = Field(default=None, sa_type=BigInteger)
