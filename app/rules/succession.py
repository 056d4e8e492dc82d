"""When a mandate ends: who takes over by law, and from when on.

A row ends at midnight WIB, wherever in the country its matters lie. Every open task under it is resolved again at that
instant: a successor takes over without acceptance, the same office goes on under another row, and where the law names
nobody the owner keeps the task and its mandate is said to have ended, until the law names somebody again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from app.rules.law import WIB, Holder, Law, Mandate, Outcome, Question, Recusal, Resolution
from app.rules.mandates import day_of, resolve, within
from app.rules.vocabulary import Status
from app.rules.workflow import ACTIVE

#: The statuses in which a task has an accountable agency and is not over.
UNDER_MANDATE: Final = ACTIVE | {Status.RESOLVED}
#: How long a referral that was told late (after the mandate it cites had ended) waits for an answer told as late.
TOLD_LATE: Final = timedelta(days=1)


class Because(StrEnum):
    """Why the law was asked again."""

    MANDATE_EXPIRED = "mandate_expired"
    AGENCY_ENDED = "agency_ended"
    LAW_CHANGED = "law_changed"  # the mandate had ended before, and only now the law names somebody


@dataclass(frozen=True, slots=True)
class Heir:
    """Who is accountable by law, under which row, from which instant on."""

    at: datetime
    answer: Resolution

    @property
    def agency(self) -> str:
        """The accountable agency."""
        return self.answer.accountable or ""

    @property
    def mandate(self) -> str:
        """The row."""
        return self.answer.mandate.id if self.answer.mandate else ""


def midnight(day: date) -> datetime:
    """The instant at which a day of the law begins: midnight WIB."""
    return datetime.combine(day, time(), WIB)


def ended(now: datetime, mandate_to: date | None, agency_to: date | None) -> tuple[datetime, Because] | None:
    """When the first of a row and the agency accountable under it ended, and which; None while both last."""
    ends = [
        (midnight(day), because)
        for day, because in ((mandate_to, Because.MANDATE_EXPIRED), (agency_to, Because.AGENCY_ENDED))
        if day is not None and midnight(day) <= now
    ]
    return min(ends, key=lambda end: end[0], default=None)


def heir(law: Law, question: Question, *, until: datetime) -> Heir | None:
    """Whom the law names first from the instant of the question on, at the latest at `until`; None in a gap."""
    for at in _turns(law, question.at, until):
        answer = resolve(law, replace(question, at=at))
        if answer.outcome is Outcome.RESOLVED and _lasts(law, answer.accountable, at):
            return Heir(at, answer)
    return None


def _turns(law: Law, since: datetime, until: datetime) -> Iterator[datetime]:
    """The instant itself, and every later one up to `until` at which a row, an agency or a recusal begins or ends."""
    dated: tuple[Mandate | Holder | Recusal, ...] = (*law.mandates, *law.holders, *law.recusals)
    days = {day for one in dated for day in (one.valid_from, one.valid_to) if day is not None}
    yield since
    yield from sorted(at for day in days if since < (at := midnight(day)) <= until)


def _lasts(law: Law, agency: str | None, at: datetime) -> bool:
    """Whether an agency is valid at an instant; a row that goes by the event's date may name one that has ended."""
    return any(one.code == agency and within(day_of(at), one.valid_from, one.valid_to) for one in law.holders)


def supposing(law: Law, row: str, *, valid_to: date, successor: str | None) -> Law:
    """The law as it would be if a row ended on that day and its matter went to another office, under `row + "'"`."""
    rows = [replace(one, valid_to=valid_to) if one.id == row else one for one in law.mandates]
    if successor is not None:
        rows += [
            replace(one, id=f"{row}'", accountable=successor, valid_from=valid_to, valid_to=None)
            for one in law.mandates
            if one.id == row
        ]
    return replace(law, mandates=rows)
