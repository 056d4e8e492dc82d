"""The law as data: instruments, mandates, recusals, deadlines, holidays. Rows are closed, never edited once used."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, Date
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.columns import one_of, recorded, texts
from app.rules.vocabulary import Instant


class LegalInstrument(SQLModel, table=True):
    """A law, regulation, ruling or circular with the period in which it is in force (half-open, empty: unknown)."""

    __tablename__ = "legal_instrument"
    id: str = Field(primary_key=True)
    kind: str
    number: str
    year: int | None = None
    title_id: str
    in_force_from: date | None = None
    in_force_to: date | None = None
    amends: list[str] = texts()
    url: str | None = None
    verified: bool
    version: int = 1


class Mandate(SQLModel, table=True):
    """One row of the matrix: which office is accountable for what, where and when, on which basis.

    Empty strings, not NULLs, stand in its key, so that the exclusion constraint of the migration bites; its index finds
    the rows of a category and function for every resolution. An empty
    `accountable` says that the law gives no basis.
    """

    __table_args__ = (
        one_of("resolve_at", Instant),
        CheckConstraint("valid_to is null or valid_to > valid_from", name="period"),
    )
    id: str = Field(primary_key=True)
    category: str = Field(foreign_key="category.code")
    subcategory: str = ""
    function: str
    variant: str = ""
    accountable: str
    supporting: list[str] = texts()
    informed: list[str] = texts()
    legal_basis: list[str] = texts()
    resolve_at: str
    region_code: str = ""
    valid_from: date
    valid_to: date | None = None
    source: str
    verified: bool
    note: str
    version: int = 1


class Recusal(SQLModel, table=True):
    """A body that may not own a case about its own people."""

    subject_kind: str = Field(primary_key=True)
    excluded_office: str = Field(primary_key=True)
    applies_to_function: str = Field(primary_key=True)
    excluded_role: str
    successor: str
    reason: str
    source: str
    valid_from: date | None = None
    valid_to: date | None = None


class Escalation(SQLModel, table=True):
    """An office that is informed, with the members of its body, once a matter has reached so far."""

    reach_level: str = Field(primary_key=True)
    informed_office: str = Field(primary_key=True)
    reason: str
    source: str


class DeadlineRule(SQLModel, table=True):
    """A statutory time limit, in its unit; a negative limit counts backwards."""

    __tablename__ = "deadline_rule"
    code: str = Field(primary_key=True)
    category: str
    function: str
    clock_starts_at: str
    limit: int
    unit: str
    extension: int | None = None
    responsible_role: str
    instrument_id: str | None = Field(default=None, foreign_key="legal_instrument.id")
    article: str | None = None
    source: str
    verified: bool
    note: str


class ClockStart(SQLModel, table=True):
    """An event from which the law counts; one that is `foreseen` may be told before it happens."""

    __tablename__ = "clock_start"
    code: str = Field(primary_key=True)
    foreseen: bool
    note: str


class ReferralClockStart(SQLModel, table=True):
    """A referral between two offices whose receipt is itself the event from which the law counts."""

    __tablename__ = "referral_clock_start"
    clock_starts_at: str = Field(primary_key=True, foreign_key="clock_start.code")
    from_office: str = Field(primary_key=True)
    to_office: str = Field(primary_key=True)
    note: str


class DeadlineRelation(SQLModel, table=True):
    """What one time limit is to another: its extension, or the wait during which it stands still."""

    __tablename__ = "deadline_relation"
    __table_args__ = (one_of("relation", ("extended_by", "paused_by")),)
    code: str = Field(primary_key=True, foreign_key="deadline_rule.code")
    relation: str = Field(primary_key=True)
    other: str = Field(foreign_key="deadline_rule.code")
    note: str


class Calendar(SQLModel, table=True):
    """One version of the table of holidays, whole and never changed; `covers_from` to `covers_to`, both inclusive.

    `holidays` lists `{day, name_id, kind, source, verified}`. The newest version counts.
    """

    __table_args__ = (CheckConstraint("covers_to >= covers_from", name="window"),)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    covers_from: date
    covers_to: date
    holidays: list[dict[str, Any]] = Field(sa_type=JSONB)
    added: list[date] = Field(sa_type=ARRAY(Date))
    removed: list[date] = Field(sa_type=ARRAY(Date))
    reason: str
    recorded_at: datetime = recorded()


class Holiday(SQLModel, table=True):
    """A day that is no working day, as the files of the registry have it; what counts is the newest calendar."""

    day: date = Field(primary_key=True)
    name_id: str
    kind: str
    source: str
    verified: bool


class ClosingRequirement(SQLModel, table=True):
    """A fact that a resolution must carry."""

    __tablename__ = "closing_requirement"
    category: str = Field(primary_key=True)
    function: str = Field(primary_key=True)
    required_fact: str = Field(primary_key=True)
    label_id: str
    label_en: str
