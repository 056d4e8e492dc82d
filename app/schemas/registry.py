"""The registry on the wire: regions, reference lists, agencies, instruments, mandates, elections."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.rules.mandates import Outcome, Rejected
from app.rules.vocabulary import Function, Level, SubjectKind, Tier
from app.rules.vocabulary import Instant as ResolveAt
from app.schemas.types import (
    AgencyCode,
    Code,
    Command,
    Day,
    ElectionCode,
    InstrumentId,
    Line,
    MandateCode,
    RegionCode,
    Shown,
    absent,
    distinct,
)

Regions = Annotated[list[RegionCode], AfterValidator(distinct), Field(max_length=600)]
OfficeCode = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$", max_length=64, examples=["KPU"])]
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
Title = Annotated[str, Field(min_length=1, max_length=500)]
Source = Annotated[str, Field(min_length=1, max_length=1000)]
Url = Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s]+$")]


class Region(Shown):
    """An administrative area. Contains information from idn-area-data, made available under the ODbL 1.0."""

    code: str
    name: str
    level: str
    parent: str | None
    time_zone: str
    source: str


class RegionPage(Shown):
    """A page of regions, by code."""

    items: list[Region]
    next_cursor: str | None


class ReferenceList(Shown):
    """One list of `/v1/reference`: its values with labels in Indonesian and English, and whatever else they carry."""

    values: list[dict[str, Any]]
    list: str
    description_en: str
    version: str


class ReferenceName(Shown):
    """One list, and where it is."""

    list: str
    description_en: str
    href: str


class ReferenceIndex(Shown):
    """The lists there are."""

    items: list[ReferenceName]


class AgencyInput(Command):
    """An agency to add: it holds `office` at `tier` for its `regions` (none: the whole country)."""

    code: AgencyCode
    office: OfficeCode
    tier: Tier
    name_id: Line
    name_en: Line | None = None
    type: Code
    level: Level
    region_code: RegionCode | None = None
    regions: Regions = []
    coordinator: bool = Field(default=False, strict=True, description="True for KPU and Bawaslu of a regency or city.")
    command_parent: AgencyCode | None = None
    functional_parent: AgencyCode | None = None
    valid_from: Day | None = None
    valid_to: Day | None = Field(None, description="Exclusive.")
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)


class AgencyPatch(Command):
    """Changes of an agency (JSON merge patch)."""

    name_id: Line = absent()
    name_en: Line = absent()
    regions: Regions = absent()
    coordinator: bool = absent()
    command_parent: AgencyCode | None = None
    functional_parent: AgencyCode | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    source: Source = absent()
    verified: bool = absent()


class Agency(Shown):
    """An agency; `members` are those of a joint centre or forum, whose clients act for it."""

    code: str
    office: str
    tier: Tier
    name_id: str
    name_en: str
    type: str
    level: Level
    region_code: str | None
    regions: list[str]
    coordinator: bool
    command_parent: str | None
    functional_parent: str | None
    valid_from: date | None
    valid_to: date | None
    source: str
    verified: bool
    suspended: bool
    members: list[str]
    version: int


class AgencyPage(Shown):
    """A page of agencies, by code."""

    items: list[Agency]
    next_cursor: str | None


class LegalInstrumentInput(Command):
    """A law, regulation, ruling or circular."""

    id: InstrumentId
    kind: Code
    number: Annotated[str, Field(max_length=100)] = ""
    year: int | None = Field(None, strict=True, ge=1900, le=2100)
    title_id: Title
    in_force_from: Day | None = None
    in_force_to: Day | None = None
    amends: Annotated[list[InstrumentId], AfterValidator(distinct), Field(max_length=20)] = []
    url: Url | None = None
    verified: bool = Field(default=False, strict=True)


class LegalInstrumentPatch(Command):
    """Changes of a legal instrument (JSON merge patch)."""

    number: Annotated[str, Field(max_length=100)] = absent()
    title_id: Title = absent()
    in_force_from: Day | None = None
    in_force_to: Day | None = None
    url: Url | None = None
    verified: bool = absent()


class LegalInstrument(Shown):
    """A legal instrument and the half-open period in which it is in force (null: unknown or open)."""

    id: str
    kind: str
    number: str
    year: int | None
    title_id: str
    in_force_from: date | None
    in_force_to: date | None
    amends: list[str]
    url: str | None
    verified: bool
    version: int


class LegalInstrumentPage(Shown):
    """A page of legal instruments, by id."""

    items: list[LegalInstrument]
    next_cursor: str | None


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


class ElectionInput(Command):
    """An election; without a region it is national."""

    code: ElectionCode
    kind: Code
    name_id: Line
    region_code: RegionCode | None = None
    voting_date: Day
    source: Source = "unverified"


class ElectionPatch(Command):
    """Changes of an election (JSON merge patch)."""

    name_id: Line = absent()
    voting_date: Day = absent()
    source: Source = absent()


class Election(Shown):
    """An election."""

    code: str
    kind: str
    name_id: str
    region_code: str | None
    voting_date: date
    source: str
    version: int


class ElectionPage(Shown):
    """A page of elections, by code."""

    items: list[Election]
    next_cursor: str | None


class StageInput(Command):
    """A stage; both dates inclusive. Stages overlap."""

    code: Code
    name_id: Line
    name_en: Line | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)


class StagePatch(Command):
    """Changes of a stage (JSON merge patch)."""

    name_id: Line = absent()
    name_en: Line = absent()
    starts_on: Day | None = None
    ends_on: Day | None = None
    source: Source = absent()
    verified: bool = absent()


class Stage(Shown):
    """A stage (tahapan) of an election; both dates inclusive, null when no source gives them."""

    election: str
    code: str
    name_id: str
    name_en: str
    starts_on: date | None
    ends_on: date | None
    source: str
    verified: bool
    version: int


class StageList(Shown):
    """The stages of an election, by their start; a date may lie in several."""

    items: list[Stage]
