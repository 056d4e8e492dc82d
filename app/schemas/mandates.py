"""Mandates, and the answer who is competent, on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from app.rules.law import Outcome, Rejected
from app.rules.vocabulary import Function, SubjectKind
from app.rules.vocabulary import Instant as ResolveAt
from app.schemas.types import (
    Code,
    Command,
    Day,
    MandateCode,
    RegionCode,
    Shown,
    Source,
    distinct,
)

Office = Annotated[
    str,
    Field(
        pattern=r"^[A-Z][A-Z0-9_]{1,63}@(national|province|city|district|village|polling_station)$",
        max_length=80,
        examples=["KPU@city"],
    ),
]


Offices = Annotated[list[Office], AfterValidator(distinct), Field(max_length=30)]


BasisRef = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,79}(#[^\s#]{1,40})?$", examples=["uu_1_2015#134-135"])]


class MandateInput(Command):
    """A row of the mandate matrix. `accountable` null says that the law gives no basis."""

    id: MandateCode
    category: Code
    subcategory: Code | None = None
    function: Function
    variant: Code | None = None
    accountable: Office | None = None
    supporting: Offices = []
    informed: Offices = []
    legal_basis: Annotated[list[BasisRef], AfterValidator(distinct), Field(min_length=1, max_length=20)]
    resolve_at: ResolveAt
    region_code: RegionCode | None = None
    valid_from: Day
    valid_to: Day | None = Field(None, description="Exclusive.")
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)
    note: Annotated[str, Field(max_length=2000)] = ""


class Mandate(Shown):
    """A row of the mandate matrix: which office is accountable for what, where and when, on which basis."""

    id: str
    category: str
    subcategory: str | None
    function: Function
    variant: str | None
    accountable: str | None
    supporting: list[str]
    informed: list[str]
    legal_basis: list[str]
    resolve_at: ResolveAt
    region_code: str | None
    valid_from: date
    valid_to: date | None
    source: str
    verified: bool
    note: str
    version: int


class MandatePage(Shown):
    """A page of mandate rows, by id."""

    items: list[Mandate]
    next_cursor: str | None


class LegalBasis(Shown):
    """An article of an instrument in force at the instant."""

    instrument: str
    article: str | None
    title: str


class Accountable(Shown):
    """Who is accountable, under which row and on which basis."""

    agency: str
    mandate: str
    legal_basis: list[LegalBasis]
    valid_from: date
    valid_to: date | None
    verified: bool


class AppliedRecusal(Shown):
    """A recusal that turned the answer: no body owns a case about its own people."""

    subject_kind: str
    excluded_office: str
    function: Function
    successor: str | None
    reason: str


class ConsideredMandate(Shown):
    """A row that lost, and why."""

    mandate: str
    office: str | None
    rejected_because: Rejected


class Resolution(Shown):
    """Who is competent, and why."""

    category: str
    subcategory: str | None
    function: Function
    variant: str | None
    subject_kind: SubjectKind | None
    region: str
    at: datetime
    event_at: datetime
    outcome: Outcome
    accountable: Accountable | None
    missing_office: str | None
    supporting: list[str]
    informed: list[str]
    recusals: list[AppliedRecusal]
    considered: list[ConsideredMandate]
