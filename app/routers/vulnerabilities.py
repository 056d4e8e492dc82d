"""The register of vulnerabilities over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BeforeValidator

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import (
    ClassificationRefused,
    CursorMismatch,
    DuplicateExternalReference,
    NotFound,
    PreconditionRequired,
    StaleVersion,
)
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.rules.vocabulary import InformationStatus
from app.schemas.assessments import Assessment, AssessmentInput, AssessmentList
from app.schemas.types import SEARCH, AgencyCode, Code, ElectionCode, ExternalReference, RegionCode, SearchText, split
from app.schemas.vulnerabilities import (
    Evidence,
    EvidenceInput,
    EvidenceList,
    Vulnerability,
    VulnerabilityInput,
    VulnerabilityPage,
    VulnerabilityPatch,
)
from app.services import assessments, vulnerabilities

router = guarded(prefix="/v1/vulnerabilities", tags=["vulnerabilities"])

Several = BeforeValidator(split)


@router.get(
    "",
    operation_id="listVulnerabilities",
    summary="List vulnerabilities",
    response_model=VulnerabilityPage,
    dependencies=[needs(P.VULNERABILITY_READ, CursorMismatch)],
)
async def list_vulnerabilities(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    category: Annotated[list[Code] | None, Several, Query()] = None,
    information_status: Annotated[list[InformationStatus] | None, Several, Query()] = None,
    mapped_by: Annotated[list[AgencyCode] | None, Several, Query()] = None,
    election: ElectionCode | None = None,
    stage: Code | None = None,
    region: Annotated[RegionCode | None, Query(description="That region and all below it.")] = None,
    locally_distinctive: Annotated[bool | None, Query()] = None,
    external_reference: ExternalReference | None = None,
    q: Annotated[SearchText | None, Query(description=SEARCH)] = None,
) -> Response:
    """The register as you may see it, newest first."""
    found = await vulnerabilities.list_vulnerabilities(
        reader,
        caller,
        keys,
        limit=page.limit,
        cursor=page.cursor,
        category=category,
        information_status=information_status,
        mapped_by=mapped_by,
        election=election,
        stage=stage,
        region=region,
        locally_distinctive=locally_distinctive,
        external_reference=external_reference,
        q=q,
    )
    return answers.page(request, found)


@router.post(
    "",
    operation_id="mapVulnerability",
    summary="Map a vulnerability",
    status_code=201,
    response_model=Vulnerability,
    dependencies=[needs(P.VULNERABILITY_MAP, ClassificationRefused, DuplicateExternalReference)],
)
async def map_vulnerability(
    request: Request,
    writer: Writer,
    caller: Caller,
    input: VulnerabilityInput,
) -> Response:
    """Enter what may go wrong, with its evidence; a rumour stays marked as one until it is verified or refuted."""
    found = await vulnerabilities.map_vulnerability(writer, caller, input)
    return answers.written(request, found, status=201, location=f"/v1/vulnerabilities/{found['id']}")


@router.get(
    "/{id}",
    operation_id="showVulnerability",
    summary="Show a vulnerability",
    response_model=Vulnerability,
    dependencies=[needs(P.VULNERABILITY_READ, NotFound)],
)
async def show_vulnerability(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """A vulnerability with its evidence."""
    return answers.read(request, await vulnerabilities.show_vulnerability(reader, caller, id))


@router.patch(
    "/{id}",
    operation_id="updateVulnerability",
    summary="Change a vulnerability",
    response_model=Vulnerability,
    dependencies=[needs(P.VULNERABILITY_UPDATE, NotFound, PreconditionRequired, StaleVersion)],
)
async def update_vulnerability(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    patch: VulnerabilityPatch,
) -> Response:
    """A merge patch, by the agency that logged or mapped it; the information status moves here."""
    return answers.written(request, await vulnerabilities.update_vulnerability(writer, caller, id, version, patch))


@router.get(
    "/{id}/evidence",
    operation_id="listVulnerabilityEvidence",
    summary="List evidence",
    response_model=EvidenceList,
    dependencies=[needs(P.VULNERABILITY_READ, NotFound)],
)
async def list_evidence(reader: Reader, caller: Caller, id: UUID) -> Response:
    """What the vulnerability rests on, and which agency brought it."""
    return answers.items(await vulnerabilities.list_evidence(reader, caller, id))


@router.post(
    "/{id}/evidence",
    operation_id="addVulnerabilityEvidence",
    summary="Bring evidence",
    status_code=201,
    response_model=Evidence,
    dependencies=[needs(P.VULNERABILITY_EVIDENCE, NotFound)],
)
async def add_evidence(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    input: EvidenceInput,
) -> Response:
    """Several agencies may add to one vulnerability; each contribution carries its agency."""
    brought = await vulnerabilities.add_evidence(writer, caller, id, input)
    return answers.written(request, brought, status=201, location=f"/v1/vulnerabilities/{id}/evidence")


@router.get(
    "/{id}/assessments",
    operation_id="listAssessments",
    summary="List assessments",
    response_model=AssessmentList,
    dependencies=[needs(P.VULNERABILITY_READ, NotFound)],
)
async def list_assessments(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """How each agency judges the vulnerability, and beside it what was published about its region, as published."""
    return answers.read(request, await assessments.list_assessments(reader, caller, id))


@router.post(
    "/{id}/assessments",
    operation_id="assessVulnerability",
    summary="Assess a vulnerability",
    status_code=201,
    response_model=Assessment,
    dependencies=[needs(P.VULNERABILITY_ASSESS, NotFound)],
)
async def assess(request: Request, writer: Writer, caller: Caller, id: UUID, input: AssessmentInput) -> Response:
    """Likelihood times impact, before and after mitigation: each agency's own judgement, which binds nobody.

    It is no index of vulnerability (IKP): those are published by Bawaslu, shown beside and never computed here.
    """
    judged = await assessments.assess(writer, caller, id, input)
    return answers.written(request, judged, status=201, location=f"/v1/vulnerabilities/{id}/assessments")
