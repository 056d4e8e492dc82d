"""Comments and history on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from app.rules.facts import EventKind
from app.rules.vocabulary import AssignmentRole, Finality, Status
from app.schemas.types import (
    Command,
    Prose,
    Shown,
)


class CommentInput(Command):
    """Something to say about a task."""

    body: Prose


class Comment(Shown):
    """Something said about a task."""

    id: UUID
    body: str
    agency: str
    client: UUID | None
    acting_user: str | None
    recorded_at: datetime


class CommentList(Shown):
    """What was said about a task, oldest first."""

    items: list[Comment]


class HistoryEntry(Shown):
    """One fact of a task: from which status to which, who, which client, which acting person, place in the log."""

    id: UUID
    kind: EventKind
    from_status: Status | None
    to_status: Status | None
    agency: str | None
    client: UUID | None
    acting_user: str | None
    effective_at: datetime
    recorded_at: datetime
    log_index: int | None
    finality: Finality
    facts: dict[str, Any]


class RetiredEntry(Shown):
    """A fact of a task that was retired with its year: what it said is in the log's export, at this place in it."""

    id: UUID
    kind: EventKind
    agency: str | None
    effective_at: datetime
    recorded_at: datetime
    log_index: int


class Assignment(Shown):
    """Who had which part in a task, from when to when (effective, half-open), under which mandate row."""

    agency: str
    role: AssignmentRole
    mandate: str
    from_at: datetime
    to_at: datetime | None


class History(Shown):
    """What happened to a task, and who was assigned when."""

    items: list[HistoryEntry]
    retired: list[RetiredEntry]
    assignments: list[Assignment]
