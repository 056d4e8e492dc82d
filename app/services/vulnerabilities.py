"""Vulnerabilities: map, update, bring evidence, read."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Executor, Row, Writer, one, rows, value
from app.models import Vulnerability, VulnerabilityEvidence
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Classification, Standing
from app.schemas.vulnerabilities import (
    EvidenceInput,
    VulnerabilityInput,
    VulnerabilityListItem,
    VulnerabilityPatch,
)
from app.security import Keys
from app.services import filters, log, moments, records, visibility
from app.services.paging import Page
from app.services.versions import check_version, compare_and_set

_SHOWN: Final = {
    "region": "t.region_code as region",
    "linked_to": "array(select v.id from vulnerability v where v.id = any(t.linked_to)"
    f" and {visibility.register_visible('vulnerability', 'v')} order by 1) as linked_to",
}
_COLUMNS: Final = ", ".join(_SHOWN.get(name, f"t.{name}") for name in VulnerabilityListItem.model_fields)
_EVIDENCE: Final = "id, source_type, year, reference, note, agency, recorded_at"
_FILTERS: Final = {
    "category": "t.category = any(:category)",
    "information_status": "t.information_status = any(:information_status)",
    "election": "t.election = :election",
    "stage": "t.stage = :stage",
    "region": filters.WITHIN,
    "mapped_by": "t.mapped_by = any(:mapped_by)",
    "locally_distinctive": "t.locally_distinctive = :locally_distinctive",
    "external_reference": "t.external_reference = :external_reference",
}


async def show_vulnerability(executor: Executor, caller: Caller, id: UUID) -> dict[str, Any]:
    """A vulnerability with its evidence; raises NotFound."""
    found = await records.load(executor, caller, "vulnerability", _COLUMNS, id)
    shown = {name: found[name] for name in VulnerabilityListItem.model_fields}
    return {**shown, "evidence": await _evidence(executor, id)}


async def _evidence(executor: Executor, id: UUID) -> list[Row]:
    return await rows(
        executor, f"select {_EVIDENCE} from vulnerability_evidence where vulnerability_id = :id order by id", id=id
    )


async def list_evidence(executor: Executor, caller: Caller, id: UUID) -> list[Row]:
    """The evidence of a vulnerability, oldest first; raises NotFound."""
    await records.load(executor, caller, "vulnerability", "t.id", id)
    return await _evidence(executor, id)


async def list_vulnerabilities(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """The register as the caller may see it, newest first."""
    return await records.page(
        executor, caller, keys, "vulnerability", _COLUMNS, _FILTERS, filters=filters, limit=limit, cursor=cursor
    )


async def map_vulnerability(writer: Writer, caller: Caller, input: VulnerabilityInput) -> dict[str, Any]:
    """Enter a vulnerability into the register.

    Raises ValidationFailed, ClassificationRefused, DuplicateExternalReference.
    """
    at = await moments.logged_at(writer, input.effective_at)
    await records.require_known(
        writer,
        region=input.region,
        category=input.category,
        subcategory=input.subcategory,
        election=input.election,
        stage=input.stage,
        mapped_by=input.mapped_by,
    )
    await records.require_vulnerabilities(writer, caller, input.linked_to, pointer="/linked_to")
    await records.refuse_duplicate(writer, caller, "vulnerability", input.external_reference)
    default = await value(
        writer,
        "select case when default_classification = 'rahasia' then 'rahasia' end from category where code = :category",
        category=input.category,
    )
    mapped_by = input.mapped_by or caller.body
    said = input.model_dump(exclude={"region", "evidence", "mapped_by", "classification", "effective_at"})
    vulnerability = Vulnerability(
        id=await visibility.take_up(writer, uuid7()),
        **said,
        region_code=input.region,
        mapped_by=mapped_by,
        classification=records.classification(input.classification, default or Classification.TERBUKA),
        logged_by=caller.body,
        effective_at=at,
    )
    writer.add(vulnerability)
    await writer.flush()
    for evidence in input.evidence:
        writer.add(
            VulnerabilityEvidence(vulnerability_id=vulnerability.id, agency=caller.body, **evidence.model_dump())
        )
    await _record(
        writer,
        caller,
        EventKind.VULNERABILITY_MAPPED,
        vulnerability.id,
        at,
        (None, 1),
        {"category": input.category, "information_status": input.information_status},
    )
    await writer.flush()
    return await _show_written(writer, caller, vulnerability.id)


async def update_vulnerability(
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: int,
    patch: VulnerabilityPatch,
) -> dict[str, Any]:
    """Change a vulnerability (merge patch).

    Raises NotFound, PermissionDenied, StaleVersion, ValidationFailed.
    """
    found = await records.take(writer, caller, "vulnerability", _COLUMNS, id)
    held = {
        standing
        for standing, agency in ((Standing.LOGGER, found["logged_by"]), (Standing.OWNER, found["mapped_by"]))
        if agency in caller.acts_for
    }
    policy.require(caller.role, Permission.VULNERABILITY_UPDATE, held)
    check_version(found["version"], version)
    latest = await log.latest(writer, EventKind.VULNERABILITY_MAPPED, EventKind.VULNERABILITY_UPDATED, id=id)
    at = moments.moved_at(writer, patch.effective_at, {**found, "latest": latest}, after="latest")
    changed = {name: getattr(patch, name) for name in patch.model_fields_set - {"effective_at"}}
    stage = changed.get("stage", found["stage"])
    await records.require_known(writer, election=changed.get("election", found["election"]), stage=stage)
    await records.require_vulnerabilities(writer, caller, changed.get("linked_to", []), pointer="/linked_to")
    if "linked_to" in changed:
        changed["linked_to"] = [*changed["linked_to"], *await _hidden_links(writer, caller, id)]
    new = (await compare_and_set(writer, "vulnerability", {"id": id}, version, changed))["version"]
    status = {"from": found["information_status"], "to": changed.get("information_status")}
    moved = status if "information_status" in changed else {}
    said = {"changed": sorted(changed), **moved}
    await _record(writer, caller, EventKind.VULNERABILITY_UPDATED, id, at, (version, new), said)
    await writer.flush()
    return await _show_written(writer, caller, id)


async def add_evidence(writer: Writer, caller: Caller, id: UUID, input: EvidenceInput) -> Row:
    """Bring evidence for a vulnerability; each contribution carries its agency. Raises NotFound."""
    found = await records.take(writer, caller, "vulnerability", "t.id", id)
    evidence = VulnerabilityEvidence(vulnerability_id=id, agency=caller.body, **input.model_dump())
    writer.add(evidence)
    said = {"evidence": str(evidence.id), "source_type": input.source_type}
    await _record(writer, caller, EventKind.VULNERABILITY_EVIDENCED, id, found["now"], (None, None), said)
    await writer.flush()
    return (await rows(writer, f"select {_EVIDENCE} from vulnerability_evidence where id = :id", id=evidence.id))[0]


async def _hidden_links(writer: Writer, caller: Caller, id: UUID) -> list[UUID]:
    """The links of a vulnerability to others that this caller may not see: no change of its touches them."""
    return list(
        await value(
            writer,
            "select array(select l.id from unnest(t.linked_to) l (id) where not exists (select from vulnerability v"
            f" where v.id = l.id and {visibility.register_visible('vulnerability', 'v')})) as hidden"
            " from vulnerability t where t.id = :id",
            id=id,
            **visibility.reach(caller),
        )
    )


async def _show_written(writer: Writer, caller: Caller, id: UUID) -> dict[str, Any]:
    found = await one(
        writer, f"select {_COLUMNS} from vulnerability t where t.id = :id", id=id, **visibility.reach(caller)
    )
    return {**found, "evidence": await _evidence(writer, id)}


async def _record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    id: UUID,
    at: Any,
    versions: tuple[int | None, int | None],
    said: dict[str, Any],
) -> None:
    await log.record(writer, caller, kind, on="vulnerability", id=id, effective_at=at, versions=versions, payload=said)
