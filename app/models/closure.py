"""Closures: how two operators end a row of the mandate matrix."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, identity, one_of, recorded, texts
from app.rules.vocabulary import ClosureStatus


class MandateClosure(SQLModel, table=True):
    """What one operator proposed and another one answered; `successor` is the row that follows, or nothing."""

    __tablename__ = "mandate_closure"
    __table_args__ = (
        one_of("status", ClosureStatus),
        CheckConstraint("status <> 'confirmed' or answered_by <> proposed_by", name="two_persons"),
        # one proposal at a time
        Index("uq_mandate_closure_proposed", "mandate", unique=True, postgresql_where="status = 'proposed'"),
        # when was the end of a mandate confirmed?
        Index("ix_mandate_closure_mandate", "mandate", "id"),
    )
    id: UUID = identity()
    mandate: str = Field(foreign_key="mandate.id")
    valid_to: date
    successor: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    legal_basis: list[str] = texts()
    reason: str
    status: str
    proposed_by: UUID = Field(foreign_key="client.id")
    answered_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    answered_at: Instant | None = None
