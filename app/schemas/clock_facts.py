"""The shapes of what facts about clocks and the calendar say."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from app.rules.clocks import ClockKind, ClockStatus
from app.schemas.facts import WORD, Said


class ClockBegun(Said):
    """A clock as it began."""

    kind: ClockKind
    code: str | None
    status: ClockStatus
    clock_starts_at: str | None
    started_at: datetime
    due_at: datetime
    provisional: bool
    calendar_version: int | None
    referral: str | None = None
    reason: str | None = Field(None, description=WORD)


class ClockMoved(Said):
    """A move of a clock: how it stood and stands, and when it is due; `due_before`, where that changed."""

    code: str | None
    was: ClockStatus
    status: ClockStatus
    due_at: datetime
    due_before: datetime | None = None
    because: str | None = None
    reason: str | None = Field(None, description=WORD)
    note: str | None = Field(None, description=WORD)


class ClockRecomputed(ClockMoved):
    """Why a clock is due at another instant: the calendar was corrected, in these days that matter to it."""

    calendar_before: int
    calendar_version: int
    days: list[date]
    provisional: bool


class CalendarCorrected(Said):
    """What a new version of the calendar changed."""

    covers_from: date
    covers_to: date
    added: list[date]
    removed: list[date]
    reason: str | None = Field(None, description=WORD)
