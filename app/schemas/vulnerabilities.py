"""Vulnerabilities on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool

from app.rules.vocabulary import (
    CandidatePath,
    Classification,
    EvidenceSource,
    FacilityOwner,
    InformationStatus,
    ReachLevel,
    RequestedClassification,
)
from app.schemas.types import (
    WHEN,
    AgencyCode,
    Code,
    Command,
    ElectionCode,
    ExternalReference,
    Instant,
    Line,
    Matched,
    Prose,
    RegionCode,
    Shown,
    Url,
    absent,
    distinct,
)

Sources = Annotated[list[Line], Field(max_length=20)]
Owners = Annotated[list[FacilityOwner], AfterValidator(distinct), Field(max_length=6)]
Links = Annotated[list[UUID], AfterValidator(distinct), Field(max_length=50)]


class EvidenceInput(Command):
    """What a vulnerability rests on."""

    source_type: EvidenceSource
    year: int = Field(strict=True, ge=1945, le=2100)
    reference: Line
    note: Prose | None = None


class VulnerabilityInput(Command):
    """A vulnerability to map. Evidence names its source and year; a rumour stays marked as one."""

    category: Code
    subcategory: Code | None = None
    description: Prose
    description_en: Prose | None = None
    evidence: Annotated[list[EvidenceInput], Field(max_length=50)] = []
    information_status: InformationStatus = InformationStatus.CLAIMED
    region: RegionCode
    election: ElectionCode | None = None
    stage: Code | None = Field(None, description="A stage of `election`.")
    mapped_by: AgencyCode | None = Field(
        None, description="Whose mapping it is; default your agency. `logged_by` says who entered it."
    )
    raised_by_role: Code | None = None
    locally_distinctive: bool = Field(default=False, strict=True)
    facility_owner: Owners = []
    reach_level: ReachLevel | None = None
    asset: Code | None = None
    candidate_path: CandidatePath | None = None
    url: Url | None = None
    first_seen_at: Instant | None = None
    linked_to: Links = []
    source: Sources = []
    external_reference: ExternalReference | None = None
    classification: RequestedClassification | None = Field(
        None, description="Default terbuka; rahasia if the category is."
    )
    effective_at: Instant | None = Field(None, description=WHEN)


class VulnerabilityPatch(Command):
    """Changes of a vulnerability (JSON merge patch)."""

    description: Prose = absent()
    description_en: Prose | None = None
    information_status: InformationStatus = absent()
    election: ElectionCode | None = None
    stage: Code | None = None
    locally_distinctive: StrictBool = absent()
    facility_owner: Owners = absent()
    reach_level: ReachLevel | None = None
    asset: Code | None = None
    candidate_path: CandidatePath | None = None
    url: Url | None = None
    first_seen_at: Instant | None = None
    linked_to: Links = absent()
    source: Sources = absent()
    effective_at: Instant | None = Field(None, description="When the change holds from; default now.")


class Evidence(Shown):
    """What a vulnerability rests on, and which agency brought it."""

    id: UUID
    source_type: EvidenceSource
    year: int
    reference: str
    note: str | None
    agency: str
    recorded_at: datetime


class EvidenceList(Shown):
    """The evidence of a vulnerability, oldest first."""

    items: list[Evidence]


class VulnerabilityListItem(Shown):
    """A vulnerability in the register."""

    id: UUID
    category: str
    subcategory: str | None
    description: str
    description_en: str | None
    information_status: InformationStatus
    region: str
    election: str | None
    stage: str | None
    mapped_by: str
    raised_by_role: str | None
    locally_distinctive: bool
    facility_owner: list[FacilityOwner]
    reach_level: ReachLevel | None
    asset: str | None
    candidate_path: CandidatePath | None
    url: str | None
    first_seen_at: datetime | None
    linked_to: list[UUID]
    source: list[str]
    external_reference: str | None
    classification: Classification
    logged_by: str
    effective_at: datetime
    recorded_at: datetime
    updated_at: datetime
    version: int


class Vulnerability(VulnerabilityListItem):
    """A vulnerability with its evidence."""

    evidence: list[Evidence]


class VulnerabilityPage(Shown):
    """A page of vulnerabilities, newest first."""

    items: list[VulnerabilityListItem]
    next_cursor: str | None
    matched: Matched
