"""The one log: immutable facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, document, identity, one_of, recorded
from app.rules.facts import EventKind


class Event(SQLModel, table=True):
    """One immutable fact. `recorded_at` is the database's clock, `effective_at` when it happened.

    `leaf` stands for it in the tree (`app.evidence`). `words` holds a commitment for each piece of free text, `person`
    one for the acting user; the texts themselves are sealed under keys that can be destroyed. `concerns` is the agency
    a fact is about where another one, or nobody's, brought it about.
    """

    __table_args__ = (
        one_of("kind", EventKind),
        # GET /v1/tasks/{id}/history reads the facts of one task in their order
        Index("ix_event_task_id", "task_id", "id", postgresql_where="task_id is not null"),
        # the facts about an object
        Index("ix_event_object", "object_type", "object_id", "id"),
        # by the years of its ids: each is a table in the schema `years`, which the background process opens in time
        {"postgresql_partition_by": "RANGE (id)"},
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
    concerns: str | None = Field(default=None, foreign_key="agency.code")
    person: str | None = None
    person_key: UUID | None = Field(default=None, foreign_key="sealing_key.id")
    person_sealed: bytes | None = None
    request_id: str
    effective_at: Instant
    recorded_at: datetime = recorded()
    version_before: int | None = None
    version_after: int | None = None
    payload: dict[str, Any] = document()
    words: dict[str, Any] = document()
    words_key: UUID | None = Field(default=None, foreign_key="sealing_key.id")
    words_sealed: bytes | None = None
    salt: str
    leaf: bytes
