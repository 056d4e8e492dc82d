"""Clients, their credentials, what was revoked, and the answers kept for replay."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, document, identity, one_of, recorded, texts
from app.rules.vocabulary import Clearance, ClientStatus, KeyState, Role


class Client(SQLModel, table=True):
    """One client of an agency: a front-end or an integration. Only operators belong to none.

    `origins` are those of its web pages (CORS), `token_minutes` bounds the life of its tokens, and a token is good only
    while the `epoch` it was issued in lasts.
    """

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
    origins: list[str] = texts(server_default="{}")
    token_minutes: int | None = None
    status: str = ClientStatus.ACTIVE
    epoch: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    version: int = 1


class ClientSecret(SQLModel, table=True):
    """A secret, stored only as its keyed hash."""

    __tablename__ = "client_secret"
    id: UUID = identity()
    # the secrets of a client
    client_id: UUID = Field(foreign_key="client.id", index=True)
    fingerprint: bytes
    last_four: str
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    expires_at: Instant
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None
    # the last five it was used from, newest first
    addresses: list[str] = texts(server_default="{}")


class ClientKey(SQLModel, table=True):
    """A public key with which a client signs its assertions (RFC 7523), so that nothing secret is stored here."""

    __tablename__ = "client_key"
    id: UUID = identity()
    # the keys of a client
    client_id: UUID = Field(foreign_key="client.id", index=True)
    kid: str
    jwk: dict[str, Any] = document()
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    expires_at: Instant
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None
    addresses: list[str] = texts()


class UsedAssertion(SQLModel, table=True):
    """The `jti` of an assertion, good for one use, kept until it would have ended anyway."""

    __tablename__ = "used_assertion"
    client_id: UUID = Field(primary_key=True, foreign_key="client.id")
    jti: str = Field(primary_key=True)
    # the worker deletes by age
    expires_at: Instant = Field(index=True)


class RevokedToken(SQLModel, table=True):
    """One access token revoked before its end."""

    __tablename__ = "revoked_token"
    jti: UUID = Field(primary_key=True)
    client_id: UUID = Field(foreign_key="client.id")
    recorded_at: datetime = recorded()
    # the worker deletes by age
    expires_at: Instant = Field(index=True)


class SigningKey(SQLModel, table=True):
    """A key of the ring that signs access tokens; its private half is sealed under the pepper."""

    __tablename__ = "signing_key"
    __table_args__ = (
        one_of("state", KeyState),
        # one key signs, one waits
        Index("uq_signing_key_state", "state", unique=True, postgresql_where="state in ('next', 'active')"),
    )
    kid: str = Field(primary_key=True)
    public: str
    sealed: bytes
    state: str
    recorded_at: datetime = recorded()
    activated_at: Instant | None = None
    retired_at: Instant | None = None


class Epoch(SQLModel, table=True):
    """The one row whose number every good token carries: counting it up ends all tokens at once."""

    __table_args__ = (CheckConstraint("single", name="one_row"),)
    single: bool = Field(default=True, primary_key=True)
    number: int = 0


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
