"""The follow-up of a meeting on the wire."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.rules.facts import EventKind
from app.rules.vocabulary import Access, CaseOutcome, Function, Priority, Status
from app.schemas.meetings import MeetingListItem
from app.schemas.types import Shown


class LastAct(Shown):
    """The newest fact about a task."""

    kind: EventKind
    agency: str | None
    effective_at: datetime


class FollowUpTask(Shown):
    """A task that a meeting brought about; what a summary does not show is null."""

    access: Access
    id: UUID
    reference: str
    title: str | None
    category: str
    function: Function
    region: str
    status: Status
    priority: Priority
    holder: str | None
    accountable: str | None
    due_at: datetime | None
    outcome: CaseOutcome | None
    last_act: LastAct | None


class FollowUpDecision(Shown):
    """What was agreed, and the tasks it made that you may see, the first first."""

    id: UUID
    number: int
    text: str
    text_en: str | None
    agency: str
    effective_at: datetime
    tasks: list[FollowUpTask]


class FollowUp(Shown):
    """A meeting, its decisions with their tasks, and the tasks that cite the meeting alone.

    `complete` is false where there are more tasks than stand here; `/v1/tasks?meeting=` lists them all.
    """

    at: datetime
    meeting: MeetingListItem
    decisions: list[FollowUpDecision]
    other_tasks: list[FollowUpTask]
    complete: bool
