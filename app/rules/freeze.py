"""Freeze windows: when no credential may expire, because an election is being voted and counted.

Windows are half-open and begin and end at midnight in WIB; those of all elections count for every agency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from app.rules.law import WIB

BEFORE_VOTING: Final = timedelta(days=14)
#: How long a count is taken to last after voting where no stage dates it.
UNDATED_COUNT: Final = timedelta(days=14)
#: The stage whose last day ends the window.
COUNT: Final = "count_recap"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The days of one election, both included, in which no credential may expire."""

    election: str
    first: date
    last: date

    @property
    def start(self) -> datetime:
        """The first instant of the window."""
        return datetime.combine(self.first, time.min, WIB)

    @property
    def end(self) -> datetime:
        """The first instant after the window."""
        return datetime.combine(self.last + _DAY, time.min, WIB)

    @property
    def name(self) -> str:
        """How a refusal names it: the election and its first and last day."""
        return f"{self.first}/{self.last} ({self.election})"


def window(election: str, voting: date, counted: date | None) -> Window:
    """The window of an election: from 14 days before voting to the last day of the count.

    `counted` is that day, or None where no stage dates it; a count never ends before the vote.
    """
    last = voting + UNDATED_COUNT if counted is None else max(voting, counted)
    return Window(election, voting - BEFORE_VOTING, last)


def holding(windows: Sequence[Window], at: datetime) -> Window | None:
    """The earliest window in which an instant lies, or None."""
    return min((one for one in windows if one.start <= at < one.end), key=lambda one: one.start, default=None)


def outside(windows: Sequence[Window], wished: datetime, *, after: datetime) -> datetime:
    """The last second before the windows that hold the wished end, however many follow one another.

    Where that is not later than `after`, it is too late for it: then the first instant behind the windows.
    """
    end = wished
    while (found := holding(windows, end)) is not None:
        end = found.start - timedelta(seconds=1)
    if end > after:
        return end
    end = wished
    while (found := holding(windows, end)) is not None:
        end = found.end
    return end
