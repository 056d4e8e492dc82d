"""Judgements of risk: what an agency thinks of a vulnerability, and what an index that was published says."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, identity, one_of, recorded
from app.rules.vocabulary import RiskLevel


class Assessment(SQLModel, table=True):
    """One agency's judgement of a vulnerability at one time: before and after what is done about it. Never changed."""

    __table_args__ = (
        *(
            CheckConstraint(f"{name} between 1 and 5", name=f"{name}_in_scale")
            for name in ("likelihood", "impact", "residual_likelihood", "residual_impact")
        ),
        one_of("risk_level", RiskLevel),
        one_of("residual_risk", RiskLevel),
        CheckConstraint(
            "num_nulls(residual_likelihood, residual_impact, residual_risk) in (0, 3)", name="residual_whole"
        ),
        # the assessments of a vulnerability, the newest of each agency first
        Index("ix_assessment_vulnerability_id", "vulnerability_id", "effective_at", "id"),
    )
    id: UUID = identity()
    vulnerability_id: UUID = Field(foreign_key="vulnerability.id")
    agency: str = Field(foreign_key="agency.code")
    likelihood: int
    impact: int
    risk_level: str
    residual_likelihood: int | None = None
    residual_impact: int | None = None
    residual_risk: str | None = None
    note: str | None = None
    effective_at: Instant
    recorded_at: datetime = recorded()


class PublishedIndex(SQLModel, table=True):
    """A score, a category or thresholds of an index, as published; an empty region is the whole country."""

    __tablename__ = "published_index"
    edition: str = Field(primary_key=True)
    level: str = Field(primary_key=True)
    region_code: str = Field(primary_key=True)
    dimension: str = Field(primary_key=True)
    score: float | None = None
    category: str | None = None
    low_below: float | None = None
    high_from: float | None = None
    source: str
