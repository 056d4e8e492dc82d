"""Webhooks, their keys and deliveries on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from app.rules.facts import NAMED
from app.rules.targets import LONGEST
from app.rules.vocabulary import Clearance
from app.rules.webhooks import DeliveryStatus, Failure, SignatureScheme, WebhookStatus
from app.schemas.types import AgencyCode, Command, Line, Prose, Shown, absent, distinct


def _known(value: str) -> str:
    """Refuse kinds of events that there are none of, and families likewise."""
    if value not in NAMED:
        en = "There are no events of this type; a family is written like `task.*`."
        raise PydanticCustomError(
            "unknown", "{en}", {"en": en, "id": "Tidak ada peristiwa jenis ini; satu keluarga ditulis `task.*`."}
        )
    return value


Heard = Annotated[
    str,
    AfterValidator(_known),
    Field(max_length=64, pattern=r"^[a-z_]+\.([a-z_]+|\*)$", examples=["task.accepted", "referral.*"]),
]
Types = Annotated[list[Heard], AfterValidator(distinct), Field(max_length=50)]
WebhookUrl = Annotated[
    str, Field(min_length=1, max_length=LONGEST, examples=["https://simpul.kpu-malangkota.go.id/masuk"])
]
_CLEARANCE: Final = "`rahasia` is granted by an operator, or by a client that holds it."


class WebhookInput(Command):
    """A webhook to create; an operator names its agency."""

    agency: AgencyCode | None = None
    url: WebhookUrl = Field(description="https only, without user, password or fragment.")
    types: Types = Field(
        [], description="Which events it hears, by kind or by family (`task.*`); none: all that it may."
    )
    description: Line | None = None
    clearance: Clearance = Field(Clearance.TERBATAS, description=_CLEARANCE)
    signature: SignatureScheme = Field(
        SignatureScheme.V1A, description="`v1a`: Ed25519, verified by a public key. `v1`: HMAC, by a shared secret."
    )
    after: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        None, description="Log index after which it begins; default the newest, so that it hears what is to come."
    )


class WebhookPatch(Command):
    """Changes of a webhook (JSON merge patch)."""

    url: WebhookUrl = absent()
    types: Types = absent()
    description: Line | None = None
    clearance: Clearance = absent(_CLEARANCE)
    status: Literal[WebhookStatus.ACTIVE, WebhookStatus.PAUSED] = absent(
        "`active` goes on where it stopped, also when it was parked, and tries at once."
    )


class Webhook(Shown):
    """A webhook, and how its next delivery fares."""

    id: UUID
    agency: str
    url: str
    types: list[str]
    description: str | None
    clearance: Clearance
    signature: SignatureScheme
    status: WebhookStatus
    position: int = Field(description="Log index up to which it has heard, or passed by what it does not hear.")
    failing_since: datetime | None
    attempts: int = Field(description="Failed attempts of the delivery that it stands at.")
    retry_at: datetime | None = Field(description="When that is tried again; null while nothing fails.")
    recorded_at: datetime
    version: int


class WebhookKey(Shown):
    """A key that signs deliveries. Nobody is shown a private half; a shared secret only when it is made."""

    id: UUID
    public_key: str | None = Field(description="`whpk_` and the base64 of an Ed25519 key; null for a shared secret.")
    recorded_at: datetime
    ends_at: datetime | None = Field(description="When it stops signing, if another has come.")


class NewWebhookKey(WebhookKey):
    """A key just made; `secret` is shown this once."""

    secret: str | None = Field(description="`whsec_` and the base64 of the shared secret; null for Ed25519.")


class NewWebhook(Webhook):
    """A webhook just created, with its first key."""

    key: NewWebhookKey


class WebhookPage(Shown):
    """A page of webhooks, newest first."""

    items: list[Webhook]
    next_cursor: str | None


class WebhookKeys(Shown):
    """The keys that sign deliveries now, newest first: two while one replaces the other."""

    items: list[WebhookKey]


class WebhookRotationInput(Command):
    """A new key to come, and how long the one before it signs as well."""

    overlap_hours: Annotated[int, Field(strict=True, ge=0, le=720)] = Field(
        24, description="Hours that the newest key of before signs as well; 0 ends all of them now, for a compromise."
    )
    reason: Prose | None = None


class Delivery(Shown):
    """How one event went to a webhook, or a ping. What a receiver answered is not kept, only its status code."""

    id: UUID
    event: UUID | None = Field(
        description="The `webhook-id` that the receiver sees; null for a ping, where it is `id`."
    )
    log_index: int | None
    type: str
    status: DeliveryStatus
    attempts: int = Field(description="All of them, also those asked for by a redelivery.")
    first_attempt_at: datetime | None
    last_attempt_at: datetime | None
    status_code: int | None
    failure: Failure | None
    duration_ms: int | None
    recorded_at: datetime


class DeliveryPage(Shown):
    """A page of deliveries, newest first."""

    items: list[Delivery]
    next_cursor: str | None
