"""The law as it is asked and answered: questions, rows, resolutions. No behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Final

from app.rules.vocabulary import Instant

WIB: Final = timezone(timedelta(hours=7), "WIB")


ANY_SUBJECT: Final = "any"


class Outcome(StrEnum):
    """How a resolution ends."""

    RESOLVED = "resolved"
    GAP = "gap"
    NO_LEGAL_BASIS = "no_legal_basis"
    RECUSED = "recused"


class Rejected(StrEnum):
    """Why a row lost."""

    REGION = "region"
    SUBCATEGORY = "subcategory"
    VARIANT = "variant"
    NOT_YET_IN_FORCE = "not_yet_in_force"
    ENDED = "ended"
    LESS_SPECIFIC = "less_specific"
    RECUSED = "recused"
    AGENCY_NOT_VALID = "agency_not_valid"


class RefusalKind(StrEnum):
    """Why a proposed owner is refused, in the order in which the reasons are tried."""

    OUT_OF_REGION = "out_of_region"
    NOT_ACCOUNTABLE_TYPE = "not_accountable_type"
    NO_COMPETENT_AGENCY = "no_competent_agency"
    NO_LEGAL_BASIS = "no_legal_basis"
    OWN_CASE = "own_case"
    OUT_OF_MANDATE = "out_of_mandate"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the matter, its region, and the two instants of which a row picks one (aware datetimes)."""

    category: str
    function: str
    region: str
    at: datetime
    event_at: datetime
    subcategory: str = ""
    variant: str = ""
    subject_kind: str = ANY_SUBJECT


@dataclass(frozen=True, slots=True)
class Basis:
    """One article of a legal instrument, with the period of the instrument; `year` stands in for an unknown start."""

    instrument: str
    article: str | None
    title: str
    year: int | None = None
    in_force_from: date | None = None
    in_force_to: date | None = None


@dataclass(frozen=True, slots=True)
class Mandate:
    """One row of the matrix. `accountable` is an office at a tier, or empty where the law gives no basis."""

    id: str
    category: str
    function: str
    accountable: str
    resolve_at: Instant
    valid_from: date
    valid_to: date | None = None
    subcategory: str = ""
    variant: str = ""
    region: str = ""
    supporting: tuple[str, ...] = ()
    informed: tuple[str, ...] = ()
    legal_basis: tuple[Basis, ...] = ()
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """An agency as the holder of an office: `KPU@city` in its regions (empty: the whole country)."""

    code: str
    office: str
    regions: tuple[str, ...]
    valid_from: date | None = None
    valid_to: date | None = None
    may_be_accountable: bool = True


@dataclass(frozen=True, slots=True)
class Recusal:
    """A body that may not own a case about its own people, and who takes over (an office, or empty)."""

    subject_kind: str
    excluded_office: str
    function: str
    successor: str
    reason: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that was considered and lost."""

    mandate: str
    office: str
    rejected_because: Rejected


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer: who is accountable under which row, with whom, and every row that lost and why."""

    question: Question
    outcome: Outcome
    accountable: str | None = None
    mandate: Mandate | None = None
    legal_basis: tuple[Basis, ...] = ()
    missing_office: str | None = None
    supporting: tuple[str, ...] = ()
    informed: tuple[str, ...] = ()
    recusals: tuple[Recusal, ...] = ()
    considered: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Law:
    """The rows that can bear on one question, as loaded."""

    mandates: Sequence[Mandate]
    recusals: Sequence[Recusal]
    holders: Sequence[Holder]
