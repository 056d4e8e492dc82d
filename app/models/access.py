"""Clients, their secrets, and the answers kept for replay."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, identity, one_of, recorded, texts
from app.rules.vocabulary import Clearance, ClientStatus, Role


class Client(SQLModel, table=True):
    """One client of an agency: a front-end or an integration. Only operators belong to none."""

    __table_args__ = (
        one_of("role", Role),
        one_of("clearance", Clearance),
        one_of("status", ClientStatus),
        CheckConstraint("(agency is null) = (role = 'operator')", name="operator_has_no_agency"),
        # does this agency have an active client? asked when an answer comes by letter
        Index("ix_client_agency", "agency"),
    )
    id: UUID = identity()
    agency: str | None = Field(default=None, foreign_key="agency.code")
    role: str
    purpose: str
    contact: str | None = None
    clearance: str = Clearance.TERBATAS
    networks: list[str] = texts()
    status: str = ClientStatus.ACTIVE
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    version: int = 1


class ClientSecret(SQLModel, table=True):
    """A secret, stored only as its keyed hash."""

    __tablename__ = "client_secret"
    id: UUID = identity()
    client_id: UUID = Field(foreign_key="client.id", index=True)
    fingerprint: bytes
    last_four: str
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    expires_at: Instant
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None


class IdempotencyRecord(SQLModel, table=True):
    """The answer to one key, kept in the transaction of its effect and sealed under that key."""

    __tablename__ = "idempotency_record"
    client_id: UUID = Field(primary_key=True, foreign_key="client.id")
    key_hash: bytes = Field(primary_key=True)
    request_hash: bytes
    answer: bytes
    recorded_at: datetime = recorded()
    # the worker deletes by age
    expires_at: Instant = Field(index=True)
