"""Webhooks: where an agency hears of what is new, under which keys, and how each delivery went."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, identity, one_of, recorded, texts
from app.rules.vocabulary import Clearance
from app.rules.webhooks import DeliveryStatus, Failure, SignatureScheme, WebhookStatus


class Webhook(SQLModel, table=True):
    """A cursor over the log that is delivered to an address.

    `position` is the index of the last entry dealt with. Whoever delivers holds the `lease`; `served_at` is when it was
    last taken, so that all get their turn. None of that counts the version up.
    """

    __table_args__ = (
        one_of("clearance", Clearance),
        one_of("signature", SignatureScheme),
        one_of("status", WebhookStatus),
    )
    id: UUID = identity()
    # the webhooks of one agency are listed, and counted
    agency: str = Field(foreign_key="agency.code", index=True)
    url: str
    types: list[str] = texts()
    description: str | None = None
    clearance: str = Clearance.TERBATAS
    signature: str = SignatureScheme.V1A
    status: str = WebhookStatus.ACTIVE
    position: int = Field(sa_type=BigInteger)
    failing_since: Instant | None = None
    attempts: int = 0
    retry_at: Instant | None = None
    lease: UUID | None = None
    leased_until: Instant | None = None
    served_at: Instant | None = None
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    version: int = 1


class WebhookSecret(SQLModel, table=True):
    """A key that signs deliveries, sealed; of an Ed25519 key the public half is for everybody who receives."""

    __tablename__ = "webhook_secret"
    id: UUID = identity()
    # the keys of a webhook, which go with it
    webhook_id: UUID = Field(foreign_key="webhook.id", ondelete="CASCADE", index=True)
    public_key: str | None = None
    sealed: bytes
    created_by: UUID | None = Field(default=None, foreign_key="client.id")
    recorded_at: datetime = recorded()
    ends_at: Instant | None = None


class Delivery(SQLModel, table=True):
    """How one event went to one webhook, or a ping, which is no event: then `id` is what the receiver sees."""

    __table_args__ = (
        one_of("status", DeliveryStatus),
        one_of("failure", Failure),
        # an event goes to a webhook once
        Index("uq_delivery_event", "webhook_id", "event_id", unique=True),
        # the deliveries of one webhook are listed, newest first
        Index("ix_delivery_webhook_id", "webhook_id", "recorded_at", "id"),
        # what the worker looks for: asked for out of order, or overtaken
        Index("ix_delivery_open", "webhook_id", postgresql_where="status in ('asked', 'failing')"),
        # what the worker forgets
        Index("ix_delivery_last_attempt_at", "last_attempt_at"),
    )
    id: UUID = identity()
    webhook_id: UUID = Field(foreign_key="webhook.id", ondelete="CASCADE")
    event_id: UUID | None = None
    log_index: int | None = Field(default=None, sa_type=BigInteger)
    type: str
    status: str
    attempts: int = 0
    first_attempt_at: Instant | None = None
    last_attempt_at: Instant | None = None
    status_code: int | None = None
    failure: str | None = None
    duration_ms: int | None = None
    lease: UUID | None = None
    leased_until: Instant | None = None
    recorded_at: datetime = recorded()
