"""Time limits: when a clock of the law runs out, counted day by day, so that a person can check it by hand.

Day 0 is the day of the start in the region's zone; a limit of n days ends at 23:59:59 of day n. Calendar days are never
rolled over a weekend. Working days are those that are no Saturday, Sunday or day of the calendar. Hours are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Final, Protocol

_DAY: Final = timedelta(days=1)
_END_OF_DAY: Final = time(23, 59, 59)
#: How long before its end a clock of days is spoken of; one of hours, a quarter of its time before, at most so long.
LEAD: Final = _DAY
_QUARTER: Final = 4

#: The three zones of Indonesia; none has had summer time since 1964.
ZONES: Final[Mapping[str, tzinfo]] = {
    "Asia/Jakarta": timezone(timedelta(hours=7), "WIB"),
    "Asia/Makassar": timezone(timedelta(hours=8), "WITA"),
    "Asia/Jayapura": timezone(timedelta(hours=9), "WIT"),
}


class Unit(StrEnum):
    """What a limit is counted in."""

    HOUR = "hour"
    CALENDAR_DAY = "calendar_day"
    WORKING_DAY = "working_day"


class Reckoned(StrEnum):
    """Why a day, or some hours, were counted or not."""

    START = "start"
    COUNTED = "counted"
    EXTENDED = "extended"  # counted, as a part of the extension
    PAUSED = "paused"
    SATURDAY = "saturday"
    SUNDAY = "sunday"
    HOLIDAY = "holiday"


class Holidays(Protocol):
    """Names of holidays by day."""

    def get(self, day: date, /) -> str | None:
        """The name of the holiday, or None."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that are no working days: from `first` to `last` those of one version of the table, else also `beyond`.

    What depends on a day outside that window is provisional.
    """

    version: int
    first: date
    last: date
    days: Mapping[date, str]
    beyond: Holidays

    def covers(self, day: date) -> bool:
        """Whether the table itself knows of this day."""
        return self.first <= day <= self.last

    def holiday(self, day: date) -> str | None:
        """The name of the holiday on this day, or None."""
        return self.days.get(day) or (None if self.covers(day) else self.beyond.get(day))


@dataclass(frozen=True, slots=True)
class Limit:
    """So many units after the start, before it where negative; `extension` more where it was extended.

    `pausable` is for how many days at most the clock may stand still in all; hours stand still for 24 times as many.
    """

    amount: int
    unit: Unit
    extension: int = 0
    pausable: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """The clock stands still from `began` on, until `ended`, or for as long as it may."""

    began: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the arithmetic: a day (`count` is its number, None where it doesn't count), or so many hours."""

    on: date
    count: int | None
    because: Reckoned
    holiday: str | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """When a clock runs out, whether that depends on a day the table does not cover, and how it was counted."""

    due_at: datetime
    provisional: bool
    steps: tuple[Step, ...]


def compute(
    limit: Limit, *, start: datetime, zone: tzinfo, calendar: Calendar, pauses: Sequence[Pause] = ()
) -> Computed:
    """When a clock that started at `start` runs out in `zone`; pauses in their order."""
    if limit.unit is Unit.HOUR:
        return _of_hours(limit, start, zone, pauses)
    first = start.astimezone(zone).date()
    still = frozenset(_still(limit, first, pauses, zone))
    steps = tuple(_days(limit, first, calendar, still))
    due = datetime.combine(steps[-1].on, _END_OF_DAY, zone)
    counted = limit.unit is Unit.WORKING_DAY
    return Computed(due, counted and not all(calendar.covers(step.on) for step in steps[1:]), steps)


def _days(limit: Limit, first: date, calendar: Calendar, still: frozenset[date]) -> Iterator[Step]:
    yield Step(first, 0, Reckoned.START)
    total, way = abs(limit.amount) + limit.extension, -1 if limit.amount < 0 else 1
    day, counted = first, 0
    while counted < total:
        day += way * _DAY
        found = Step(day, None, Reckoned.PAUSED) if day in still else _not_worked(limit.unit, day, calendar)
        if found is None:
            counted += 1
            extended = counted > abs(limit.amount)
            found = Step(day, way * counted, Reckoned.EXTENDED if extended else Reckoned.COUNTED)
        yield found


def _not_worked(unit: Unit, day: date, calendar: Calendar) -> Step | None:
    """The step over a day that is no working day, or None where it counts."""
    if unit is not Unit.WORKING_DAY:
        return None
    name = calendar.holiday(day)
    weekend = {5: Reckoned.SATURDAY, 6: Reckoned.SUNDAY}.get(day.weekday())
    if weekend is None and name is None:
        return None
    return Step(day, None, weekend or Reckoned.HOLIDAY, name)


def _still(limit: Limit, first: date, pauses: Sequence[Pause], zone: tzinfo) -> Iterator[date]:
    """The days on which the clock stood still: from that on which it was paused to the one before it went on.

    Day 0 never counts: of a pause from then on the next days stand still.
    """
    left, free = limit.pausable, first + _DAY
    for pause in pauses:
        began = pause.began.astimezone(zone).date()
        length = left if pause.ended is None else min(left, (pause.ended.astimezone(zone).date() - began).days)
        from_day = max(began, free)
        yield from (from_day + place * _DAY for place in range(length))
        left, free = left - length, from_day + length * _DAY


def _of_hours(limit: Limit, start: datetime, zone: tzinfo, pauses: Sequence[Pause]) -> Computed:
    still, left = timedelta(), limit.pausable * _DAY
    steps = [Step(start.astimezone(zone).date(), 0, Reckoned.START)]
    for pause in pauses:
        length = left if pause.ended is None else min(left, pause.ended - pause.began)
        still, left = still + length, left - length
        steps.append(Step(pause.began.astimezone(zone).date(), None, Reckoned.PAUSED))
    due = (start + timedelta(hours=limit.amount + limit.extension) + still).astimezone(zone)
    steps.append(Step(due.date(), limit.amount, Reckoned.COUNTED))
    if limit.extension:
        steps.append(Step(due.date(), limit.amount + limit.extension, Reckoned.EXTENDED))
    return Computed(due, provisional=False, steps=tuple(steps))


def approaches_at(unit: Unit | None, *, start: datetime, due: datetime) -> datetime:
    """When it is time to say that a clock is about to run out; `unit` None is a clock that was agreed."""
    if unit in {Unit.CALENDAR_DAY, Unit.WORKING_DAY}:
        return due - LEAD
    return due - min(LEAD, max(timedelta(), due - start) / _QUARTER)
