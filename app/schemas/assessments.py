"""Assessments on the wire, and the published scores that are shown beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.rules import risk
from app.rules.vocabulary import RiskLevel
from app.schemas.types import WHEN, Command, Instant, Prose, Shown

Scale = Annotated[int, Field(strict=True, ge=1, le=risk.HIGHEST)]


class ResidualInput(Command):
    """What stays when the mitigation is done."""

    likelihood: Scale
    impact: Scale


class AssessmentInput(Command):
    """Your agency's judgement, each from 1 to 5. It replaces your last one, which stays on record."""

    likelihood: Scale
    impact: Scale
    residual: ResidualInput | None = None
    note: Prose | None = Field(None, description="What the judgement rests on.")
    effective_at: Instant | None = Field(None, description=WHEN)


class Assessment(Shown):
    """One agency's judgement at one time. `risk_level` is ours (likelihood x impact), never an index of Bawaslu."""

    id: UUID
    agency: str
    likelihood: Scale
    impact: Scale
    risk_level: Annotated[
        RiskLevel, Field(description="By the product: from 1 low, from 5 medium, from 10 high, from 15 critical.")
    ]
    residual_likelihood: Scale | None
    residual_impact: Scale | None
    residual_risk: RiskLevel | None
    note: str | None
    current: Annotated[bool, Field(description="Whether it is the newest of its agency.")]
    effective_at: datetime
    recorded_at: datetime


class PublishedScore(Shown):
    """What an edition of an index says of the regency or city, of its province, and of the country: as published.

    Nothing here is computed: a category stands as it was published, the thresholds are those of its edition, level and
    dimension, and null is what was not published. Editions are not comparable.
    """

    edition: Annotated[str, Field(examples=["ikp_2022"])]
    level: Literal["province", "regency_city"]
    region: Annotated[str | None, Field(description="Null: the mean of the country, or thresholds alone.")]
    dimension: Annotated[str, Field(examples=["overall"])]
    score: float | None
    category: Annotated[str | None, Field(examples=["tinggi"])]
    low_below: Annotated[float | None, Field(description="Low if the score is less.")]
    high_from: Annotated[float | None, Field(description="High if the score is this or more.")]
    source: str


class AssessmentList(Shown):
    """The assessments of a vulnerability, newest first, and beside them what was published about its region."""

    items: list[Assessment]
    published: list[PublishedScore]
