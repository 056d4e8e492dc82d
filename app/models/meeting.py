"""Coordination meetings (rakor) and what they decided."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, found_by, identity, one_of, recorded, region_path, texts
from app.rules.vocabulary import Classification


class Meeting(SQLModel, table=True):
    """A coordination meeting: who sat together, where, when, about what."""

    __table_args__ = (
        one_of("classification", Classification),
        UniqueConstraint("logged_by", "external_reference"),
        # lists: a region and all below it
        Index("ix_meeting_region_code", "region_code"),
    )
    id: UUID = identity()
    title: str
    title_en: str | None = None
    host: str = Field(foreign_key="agency.code")
    held_on: date
    time_of_day: str | None = None
    venue: str | None = None
    region_code: str = Field(foreign_key="region.code")
    region_path: list[str] = region_path()
    election: str | None = Field(default=None, foreign_key="election.code")
    participants: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    experts: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    topics: list[str] = texts()
    source: list[str] = texts()
    external_reference: str | None = None
    classification: str
    logged_by: str = Field(foreign_key="agency.code")
    readers: list[str] = texts()  # kept by a trigger of the database
    effective_at: Instant
    recorded_at: datetime = recorded()
    updated_at: datetime = recorded()
    version: int = 1


# searches of meetings, and what an agency may read of them
found_by(
    SQLModel.metadata.tables["meeting"],
    "words",
    "title || ' ' || coalesce(title_en, '') || ' ' || coalesce(venue, '') || ' ' || coalesce(external_reference, '')",
    of="readers",
)


class Decision(SQLModel, table=True):
    """One thing a meeting agreed; tasks cite the decision that made them."""

    __table_args__ = (UniqueConstraint("meeting_id", "number"),)
    id: UUID = identity()
    meeting_id: UUID = Field(foreign_key="meeting.id")
    number: int
    text: str
    text_en: str | None = None
    agency: str = Field(foreign_key="agency.code")
    effective_at: Instant
    recorded_at: datetime = recorded()
