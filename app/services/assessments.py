"""Assessments: judge a vulnerability, and read the judgements beside what was published."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows
from app.models import Assessment
from app.rules import regions, risk
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.schemas.assessments import AssessmentInput, PublishedScore, ResidualInput
from app.services import log, moments, records

_SHOWN: Final = """
    a.id, a.agency, a.likelihood, a.impact, a.risk_level, a.residual_likelihood, a.residual_impact, a.residual_risk,
    a.note, not exists (select from assessment n where n.vulnerability_id = a.vulnerability_id and n.agency = a.agency
        and (n.effective_at, n.id) > (a.effective_at, a.id)) as current, a.effective_at, a.recorded_at
"""
_PUBLISHED: Final = ", ".join(
    "nullif(p.region_code, '') as region" if name == "region" else f"p.{name}" for name in PublishedScore.model_fields
)


async def list_assessments(executor: Executor, caller: Caller, id: UUID) -> dict[str, Any]:
    """The judgements of a vulnerability, newest first, beside the published scores; raises NotFound."""
    found = await records.load(executor, caller, "vulnerability", "t.region_code", id)
    items = await rows(
        executor,
        f"select {_SHOWN} from assessment a where a.vulnerability_id = :id order by a.effective_at desc, a.id desc",
        id=id,
    )
    seat = regions.seat(found["region_code"])
    published = await rows(
        executor,
        f"select {_PUBLISHED} from published_index p where p.region_code in ('', :province, :seat)"
        " order by p.edition, p.region_code desc, p.level desc, p.dimension <> 'overall', p.dimension",
        province=seat[:2],
        seat=seat,
    )
    return {"items": items, "published": published}


async def assess(writer: Writer, caller: Caller, id: UUID, input: AssessmentInput) -> Row:
    """Judge a vulnerability in the name of the caller's agency; raises NotFound, ValidationFailed."""
    found = await records.take(writer, caller, "vulnerability", "t.id, t.effective_at", id)
    at = moments.moved_at(writer, input.effective_at, found, after="effective_at")
    made = Assessment(
        vulnerability_id=id,
        agency=caller.body,
        likelihood=input.likelihood,
        impact=input.impact,
        risk_level=risk.level(input.likelihood, input.impact),
        note=input.note,
        effective_at=at,
        **({} if input.residual is None else _residual(input.residual)),
    )
    writer.add(made)
    await log.record(
        writer,
        caller,
        EventKind.VULNERABILITY_ASSESSED,
        on="vulnerability",
        id=id,
        effective_at=at,
        payload={
            "assessment": str(made.id),
            "likelihood": made.likelihood,
            "impact": made.impact,
            "risk_level": made.risk_level,
            "residual_risk": made.residual_risk,
        },
    )
    await writer.flush()
    return await one(writer, f"select {_SHOWN} from assessment a where a.id = :id", id=made.id)


def _residual(left: ResidualInput) -> dict[str, Any]:
    """The columns of what stays when the mitigation is done."""
    return {
        "residual_likelihood": left.likelihood,
        "residual_impact": left.impact,
        "residual_risk": risk.level(left.likelihood, left.impact),
    }
