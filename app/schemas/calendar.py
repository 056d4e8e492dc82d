"""The calendar of working days on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.schemas.types import Command, Day, Line, Shown, Source, distinct

HolidayKind = Literal["national", "collective_leave", "voting_day"]


class HolidayInput(Command):
    """A day that is no working day; naming one that the calendar has says it anew."""

    day: Day
    name_id: Line
    kind: HolidayKind
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)


class CorrectionInput(Command):
    """A correction of the calendar. Say also up to where it is complete now, if that changes."""

    reason: Annotated[str, Field(min_length=1, max_length=2000, description="By which decree, or what was wrong.")]
    added: Annotated[list[HolidayInput], Field(max_length=200)] = []
    removed: Annotated[list[Day], AfterValidator(distinct), Field(max_length=200)] = []
    covers_from: Day | None = Field(None, description="First day of which the calendar knows all holidays.")
    covers_to: Day | None = Field(
        None,
        description=(
            "Last such day; what depends on a later one is provisional. Up to it only the calendar's own days are"
            " holidays: moved on, `added` must name each holiday of the days that it covers from now on."
        ),
    )


class Holiday(Shown):
    """A day that is no working day."""

    day: date
    name_id: str
    kind: HolidayKind
    source: str
    verified: bool


class Calendar(Shown):
    """A version of the calendar; from `covers_from` to `covers_to`, both included, it knows all holidays."""

    version: int
    covers_from: date
    covers_to: date
    holidays: list[Holiday]
    reason: str
    recorded_at: datetime


class Correction(Shown):
    """What one version of the calendar changed, and why."""

    version: int
    covers_from: date
    covers_to: date
    added: list[date]
    removed: list[date]
    reason: str
    recorded_at: datetime


class CorrectionList(Shown):
    """The versions of the calendar, the newest first."""

    items: list[Correction]
