"""The nation as its tasks find it: regions and their weight, agencies and their clients, the law, the calendar."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from math import exp
from random import Random
from typing import Any, Final

from app.rules import mandates, regions
from app.rules.deadlines import Calendar
from app.rules.law import Holder, Law, Mandate, Outcome, Question, Recusal, Resolution
from app.rules.succession import midnight
from app.rules.vocabulary import Instant, Role
from app.simulation.dice import Dice
from app.simulation.matters import LARGEST, MATTERS, Matter
from app.simulation.offices import tier_of

FIRST_DAY: Final = date(2024, 1, 8)
LAST_DAY: Final = date(2024, 12, 31)
POLLING_DAY: Final = date(2024, 11, 27)
#: The province that elects no governor, and the cities whose mayors the governor appoints: 545 of 552 regions vote.
_NO_VOTE: Final = "34"
_APPOINTED: Final = "31."
#: How fast the work falls off from the largest region to the smallest.
_SLOPE: Final = 1.1


@dataclass(frozen=True, slots=True)
class Place:
    """A voting region: its name, zone, and the districts and villages in it."""

    code: str
    name: str
    time_zone: str
    inner: tuple[str, ...]


@dataclass(frozen=True)
class Nation:
    """All that a task is made from. `order` ranks whoever may stand among readers as the database sorts them.

    `clients` are the clients of an agency by role; `rules` the limits of the law, `receipts` the events that the
    receipt of a referral from one office to another is; `count` says when a clock of the law runs out.
    """

    places: Sequence[Place]
    law: Law
    offices: Mapping[str, str]
    classes: Mapping[str, str]
    required: Mapping[tuple[str, str], tuple[str, ...]]
    rules: Sequence[Mapping[str, Any]]
    receipts: Mapping[tuple[str, str], tuple[str, ...]]
    calendar: Calendar
    order: Mapping[str, int]
    clients: Mapping[str, Mapping[Role, str]]
    count: Callable[[Mapping[str, Any], Calendar], dict[str, Any]]


def voting(codes: Sequence[str]) -> list[str]:
    """The provinces, regencies and cities that vote."""
    return [one for one in codes if one != _NO_VOTE and not one.startswith(_APPOINTED)]


@dataclass
class LawBook:
    """The law, asked once for each question whose answer can differ: by matter, days of change, and place."""

    law: Law
    _days: list[date] = field(init=False)
    _there: set[str] = field(init=False)
    _holders: dict[str, list[Holder]] = field(init=False)
    _ends: dict[str, date | None] = field(init=False)
    _answers: dict[tuple[Any, ...], Resolution] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        dated: list[Mandate | Recusal | Holder] = [*self.law.mandates, *self.law.recusals, *self.law.holders]
        self._days = sorted({day for one in dated for day in (one.valid_from, one.valid_to) if day})
        self._rows: dict[str, list[Mandate]] = {}
        for row in self.law.mandates:
            self._rows.setdefault(row.category, []).append(replace(row, legal_basis=()))
        self._ends = {one.code: one.valid_to for one in self.law.holders}
        self._holders = {}
        for holder in self.law.holders:
            for region in holder.regions or ("",):
                self._holders.setdefault(region, []).append(holder)
        self._there = {one.region for one in self.law.mandates} | self._holders.keys()

    def ask(self, question: Question) -> Resolution:
        """Who is competent. The legal basis is left out: it changes with days of its own, and no row names it."""
        path = [one for one in regions.path(question.region) if one in self._there]
        days = [bisect_right(self._days, mandates.day_of(one)) for one in (question.at, question.event_at)]
        matter = (question.category, question.subcategory, question.function, question.variant, question.subject_kind)
        key = (*matter, *days, *path)
        if key not in self._answers:
            holders = [holder for one in ("", *path) for holder in self._holders.get(one, ())]
            near = Law(self._rows.get(question.category, ()), self.law.recusals, holders)
            self._answers[key] = mandates.resolve(near, question)
        return self._answers[key]

    def until(self, answer: Resolution) -> datetime | None:
        """When the answer's row or agency ends, so that the law would be asked again; None where neither does."""
        row = answer.mandate
        ends = [row.valid_to if row and row.resolve_at is not Instant.EVENT else None]
        ends.append(self._ends.get(answer.accountable or ""))
        return min((midnight(day) for day in ends if day), default=None)

    def holder(self, office: str, region: str, day: date) -> str | None:
        """The agency that holds an office for a region."""
        near = [holder for one in ("", *regions.path(region)) for holder in self._holders.get(one, ())]
        found = mandates.holder_of(near, office, region, day)
        return found.code if found else None

    @staticmethod
    def settled(answer: Resolution) -> bool:
        """Whether the answer names an agency."""
        return answer.outcome is Outcome.RESOLVED


class Chances:
    """What is likely: where, when, about what."""

    def __init__(self, nation: Nation, seed: int) -> None:
        rest = sorted(one.code for one in nation.places if one.code not in LARGEST)
        Random(f"{seed} regions").shuffle(rest)  # noqa: S311 - the same order again for the same seed
        places = {one.code: one for one in nation.places}
        self._places = [places[code] for code in (*LARGEST, *rest) if code in places]
        self._reach = list(accumulate((rank + 1) ** -_SLOPE for rank in range(len(self._places))))
        self._days = [FIRST_DAY + timedelta(days=one) for one in range((LAST_DAY - FIRST_DAY).days + 1)]
        self._busy = list(accumulate(map(_busy, self._days)))
        self._matters: dict[str, tuple[list[Matter], list[float]]] = {}
        for tier in ("city", "province"):
            rows = [one for one in MATTERS if one.tier == tier]
            self._matters[tier] = rows, list(accumulate(one.weight for one in rows))

    def place(self, dice: Dice) -> Place:
        """A region, by how much work it has."""
        return dice.weighted(self._places, self._reach)

    def matter(self, dice: Dice, place: Place) -> Matter:
        """What a task of this region is about."""
        return dice.weighted(*self._matters[tier_of(place.code)])

    def moment(self, dice: Dice, share: float) -> datetime:
        """The instant before which this share of the year's tasks was logged: mostly in office hours."""
        day = self._days[min(bisect_right(self._busy, share * self._busy[-1]), len(self._days) - 1)]
        hour = dice.between(8, 17) if dice.happens(0.85) else dice.between(0, 24)
        return midnight(day).astimezone(UTC) + timedelta(microseconds=int(hour * 3.6e9))


def _busy(day: date) -> float:
    """How much is logged on a day: a slow rise, a peak around polling day, quiet weekends."""
    near = (day - POLLING_DAY).days
    rise = 0.4 + 0.8 * (day - FIRST_DAY).days / 365 + 5 * exp(-abs(near) / (9 if near < 0 else 6))
    return rise * (0.4 if day.weekday() > 4 and abs(near) > 7 else 1) * (3 if near == 0 else 1)
