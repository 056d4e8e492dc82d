"""Which agency is competent, by which mandate, and why: the pure heart of Simpul.

A mandate row names an office at a tier (`KPU@city`); the agency that holds it, is valid at the instant and covers
the incident becomes accountable. Periods are half-open `[valid_from, valid_to)` and begin at midnight WIB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from app.rules import regions
from app.rules.law import (
    ANY_SUBJECT,
    WIB,
    Basis,
    Holder,
    Law,
    Lost,
    Mandate,
    Outcome,
    Question,
    Recusal,
    RefusalKind,
    Rejected,
    Resolution,
)
from app.rules.vocabulary import Instant


def day_of(instant: datetime) -> date:
    """The date of an instant in WIB, the zone in which the periods of the law begin and end."""
    return instant.astimezone(WIB).date()


def within(day: date, start: date | None, end: date | None) -> bool:
    """Whether a day lies in the half-open period; an open side is unbounded."""
    return (start is None or start <= day) and (end is None or day < end)


def decisive_day(row: Mandate, question: Question) -> date:
    """The day that decides about a row: of the event, or of creation or referral."""
    return day_of(question.event_at if row.resolve_at is Instant.EVENT else question.at)


def resolve(law: Law, question: Question) -> Resolution:
    """Answer who is competent. Serves the dry run, logging and referral alike."""
    matter = (question.category, question.function)
    rows = [row for row in law.mandates if (row.category, row.function) == matter]
    rejected = {row.id: why for row in rows if (why := _rejection(row, question))}
    fitting = [row for row in rows if row.id not in rejected]
    winner = max(fitting, key=_specificity, default=None)
    rejected |= {row.id: Rejected.LESS_SPECIFIC for row in fitting if row is not winner}
    lost = tuple(Lost(row.id, row.accountable, rejected[row.id]) for row in rows if row.id in rejected)
    if winner is None:
        return Resolution(question, Outcome.GAP, considered=lost)
    if not winner.accountable:
        return Resolution(question, Outcome.NO_LEGAL_BASIS, mandate=winner, considered=lost)
    return _seat(law, question, winner, lost)


def _rejection(row: Mandate, question: Question) -> Rejected | None:
    day = decisive_day(row, question)
    if not regions.covers(row.region, question.region):
        return Rejected.REGION
    if row.subcategory not in ("", question.subcategory):
        return Rejected.SUBCATEGORY
    if row.variant != question.variant:
        return Rejected.VARIANT
    if day < row.valid_from:
        return Rejected.NOT_YET_IN_FORCE
    if row.valid_to is not None and day >= row.valid_to:
        return Rejected.ENDED
    return None


def _specificity(row: Mandate) -> tuple[int, bool]:
    return len(row.region), bool(row.subcategory)


def _seat(law: Law, question: Question, row: Mandate, lost: tuple[Lost, ...]) -> Resolution:
    """Turn the winning row's office into an agency, after recusals."""
    day = decisive_day(row, question)
    applied = tuple(_recusals(law.recusals, question, row.accountable, day))
    office = applied[-1].successor if applied else row.accountable
    if not office or any(office == recusal.excluded_office for recusal in applied):
        fallen = Lost(row.id, row.accountable, Rejected.RECUSED)
        return Resolution(question, Outcome.RECUSED, mandate=row, recusals=applied, considered=(*lost, fallen))
    holder = holder_of(law.holders, office, question.region, day)
    if holder is None:
        fallen = Lost(row.id, row.accountable, Rejected.AGENCY_NOT_VALID)
        return Resolution(question, Outcome.GAP, missing_office=office, recusals=applied, considered=(*lost, fallen))
    return Resolution(
        question,
        Outcome.RESOLVED,
        accountable=holder.code,
        mandate=row,
        legal_basis=tuple(basis for basis in row.legal_basis if _in_force(basis, day)),
        supporting=_seated(law.holders, row.supporting, question.region, day, holder.code),
        informed=_seated(law.holders, row.informed, question.region, day, holder.code),
        recusals=applied,
        considered=lost,
    )


def _recusals(rows: Iterable[Recusal], question: Question, office: str, day: date) -> Iterator[Recusal]:
    """The recusals that bar an office, and in turn its successors; each office is barred once at most."""
    barred: set[str] = set()
    while office and office not in barred:
        barred.add(office)
        row = recusal_of(rows, question, office, day)
        if row is None:
            return
        yield row
        office = row.successor


def recusal_of(rows: Iterable[Recusal], question: Question, office: str, day: date) -> Recusal | None:
    """The recusal that bars an office from a matter about this subject, the subject's own before that for any."""
    fitting = [
        row
        for row in rows
        if row.excluded_office == office
        and row.function == question.function
        and row.subject_kind in (question.subject_kind, ANY_SUBJECT)
        and within(day, row.valid_from, row.valid_to)
    ]
    return min(fitting, key=lambda row: row.subject_kind == ANY_SUBJECT, default=None)


def holder_of(holders: Iterable[Holder], office: str, region: str, day: date) -> Holder | None:
    """The agency that holds an office, is valid on the day and covers the region, the most specific first."""
    fitting = [
        (max((len(own) for own in agency.regions if regions.covers(own, region)), default=0), agency.code, agency)
        for agency in holders
        if agency.office == office
        and within(day, agency.valid_from, agency.valid_to)
        and covers_region(agency.regions, region)
    ]
    return min(fitting, key=lambda found: (-found[0], found[1]))[2] if fitting else None


def covers_region(own: Sequence[str], region: str) -> bool:
    """Whether an agency's regions hold the incident's region; no regions are the whole country."""
    return not own or any(regions.covers(one, region) for one in own)


def _seated(holders: Sequence[Holder], offices: Iterable[str], region: str, day: date, owner: str) -> tuple[str, ...]:
    found = (holder_of(holders, office, region, day) for office in offices)
    return tuple(dict.fromkeys(holder.code for holder in found if holder is not None and holder.code != owner))


def _in_force(basis: Basis, day: date) -> bool:
    start = basis.in_force_from or (date(basis.year, 1, 1) if basis.year else None)
    return within(day, start, basis.in_force_to)


def refusal(law: Law, answer: Resolution, proposed: Holder) -> RefusalKind | None:
    """Why a proposed owner is refused, or None; the first one in the order of RefusalKind counts."""
    question = answer.question
    if not covers_region(proposed.regions, question.region):
        return RefusalKind.OUT_OF_REGION
    if not proposed.may_be_accountable:
        return RefusalKind.NOT_ACCOUNTABLE_TYPE
    if answer.outcome is Outcome.GAP:
        return RefusalKind.NO_COMPETENT_AGENCY
    if answer.outcome is Outcome.NO_LEGAL_BASIS:
        return RefusalKind.NO_LEGAL_BASIS
    day = decisive_day(answer.mandate, question) if answer.mandate else day_of(question.at)
    if answer.outcome is Outcome.RECUSED or recusal_of(law.recusals, question, proposed.office, day):
        return RefusalKind.OWN_CASE
    return None if proposed.code == answer.accountable else RefusalKind.OUT_OF_MANDATE
