"""Coordination meetings on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.rules.vocabulary import Classification, RequestedClassification
from app.schemas.tasks import TaskInput
from app.schemas.types import (
    WHEN,
    AgencyCode,
    Code,
    Command,
    Day,
    ElectionCode,
    ExternalReference,
    Instant,
    Line,
    Matched,
    Prose,
    RegionCode,
    Shown,
    absent,
)

TimeOfDay = Literal["morning", "afternoon", "evening"]


class ParticipantInput(Command):
    """An agency that took part."""

    agency: AgencyCode
    role: Literal["host", "participant", "speaker"] = "participant"


class ExpertInput(Command):
    """An expert (narasumber) by role, never by name; may comment, may not own tasks."""

    role_id: Line
    role_en: Line | None = None


Participants = Annotated[list[ParticipantInput], Field(max_length=100)]
Experts = Annotated[list[ExpertInput], Field(max_length=50)]
Topics = Annotated[list[Code], Field(max_length=20)]
Sources = Annotated[list[Line], Field(max_length=20)]


class MeetingInput(Command):
    """A coordination meeting (rakor)."""

    title: Line
    title_en: Line | None = None
    host: AgencyCode | None = Field(
        None, description="Who invited; default your agency. `logged_by` says who entered it."
    )
    held_on: Day
    time_of_day: TimeOfDay | None = None
    venue: Line | None = None
    region: RegionCode
    election: ElectionCode | None = None
    participants: Participants = []
    experts: Experts = []
    topics: Topics = []
    source: Sources = []
    external_reference: ExternalReference | None = None
    classification: RequestedClassification | None = Field(None, description="Default terbuka.")
    effective_at: Instant | None = Field(None, description=WHEN)


class MeetingPatch(Command):
    """Changes of a meeting (JSON merge patch)."""

    title: Line = absent()
    title_en: Line | None = None
    time_of_day: TimeOfDay | None = None
    venue: Line | None = None
    election: ElectionCode | None = None
    participants: Participants = absent()
    experts: Experts = absent()
    topics: Topics = absent()
    source: Sources = absent()


class DecisionInput(Command):
    """What was agreed; its tasks are logged in the same step, or nothing is."""

    text: Prose
    text_en: Prose | None = None
    tasks: Annotated[list[TaskInput], Field(max_length=20)] = []
    effective_at: Instant | None = Field(None, description=WHEN)


class Participant(Shown):
    """An agency that took part."""

    agency: str
    role: Literal["host", "participant", "speaker"]


class Expert(Shown):
    """An expert, by role."""

    role_id: str
    role_en: str | None


class Decision(Shown):
    """One thing a meeting agreed, and the tasks it made that you may see."""

    id: UUID
    meeting: UUID
    number: int
    text: str
    text_en: str | None
    agency: str
    tasks: list[UUID]
    effective_at: datetime
    recorded_at: datetime


class DecisionList(Shown):
    """The decisions of a meeting, in order."""

    items: list[Decision]


class MeetingListItem(Shown):
    """A coordination meeting."""

    id: UUID
    title: str
    title_en: str | None
    host: str
    held_on: date
    time_of_day: TimeOfDay | None
    venue: str | None
    region: str
    election: str | None
    participants: list[Participant]
    experts: list[Expert]
    topics: list[str]
    source: list[str]
    external_reference: str | None
    classification: Classification
    logged_by: str
    effective_at: datetime
    recorded_at: datetime
    updated_at: datetime
    version: int


class Meeting(MeetingListItem):
    """A coordination meeting with its decisions."""

    decisions: list[Decision]


class MeetingPage(Shown):
    """A page of meetings, newest first."""

    items: list[MeetingListItem]
    next_cursor: str | None
    matched: Matched
