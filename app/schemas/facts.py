"""The shapes of what facts say; kinds that say the same share one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.rules.succession import Because
from app.rules.vocabulary import Access, CaseOutcome, Clearance, Role, Status
from app.rules.webhooks import Failure, SignatureScheme

WORD: Final = "What somebody wrote; null where it was erased."


class Said(BaseModel):
    """What a fact says beside its envelope."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Said):
    """Nothing more."""


class Changed(Said):
    """The members that were changed; read the record for what they are now."""

    changed: list[str]


class Reasoned(Said):
    """Why."""

    reason: str | None = Field(None, description=WORD)


# tasks and referrals; `from` and `to` are the task's status


class OfTask(Said):
    """What a fact set of its task: members as the task shows them; what somebody wrote stands beside `state`."""

    state: dict[str, Any] | None = Field(
        None, description="The members that were set; `words` names those that stand beside it."
    )
    title: str | None = Field(None, description=WORD)
    description: str | None = Field(None, description=WORD)
    note: str | None = Field(None, description=WORD)
    facts: dict[str, Any] | None = Field(None, description=WORD)


class TaskChanged(OfTask):
    """The members that were changed."""

    changed: list[str]


class TaskLogged(OfTask):
    """A task as it began: its reference, and to whom the law gave it."""

    from_: Status | None = Field(None, alias="from")
    to: Status
    reference: str
    mandate: str | None = None
    competent: str | None = None


class TaskMoved(OfTask):
    """A move of a task, with what was said on the occasion."""

    from_: Status = Field(alias="from")
    to: Status
    mandate: str | None = None
    competent: str | None = None
    outcome: CaseOutcome | None = None
    reason: str | None = Field(None, description=WORD)


class TaskShared(OfTask):
    """With whom, and how much of it."""

    agency: str
    level: Access | None = None


class Commented(Said):
    """The comment's id; its text is read with the task."""

    comment: UUID


class ReferralMoved(OfTask):
    """A move of a referral: to whom it went, what was answered, what became of its task."""

    from_: Status | None = Field(None, alias="from")
    to: Status | None = None
    to_agency: str | None = None
    mandate: str | None = None
    reason: str | None = Field(None, description=WORD)
    suggested_agency: str | None = None
    letter: dict[str, Any] | None = None
    recorded_by_sender: bool | None = None
    because: Because | None = Field(None, description="Why the law itself made this move.")


# register and registry


class Mapped(Said):
    """What kind of vulnerability, and how far it is known."""

    category: str
    information_status: str


class VulnerabilityChanged(Changed):
    """The members that were changed; `from` and `to` are its information status."""

    from_: str | None = Field(None, alias="from")
    to: str | None = None


class Evidenced(Said):
    """The evidence that was brought."""

    evidence: UUID
    source_type: str


class Held(Said):
    """When it was held."""

    held_on: date


class Decided(Said):
    """The decision that was entered."""

    decision: UUID


# clients, credentials, keys


class ClientMade(Said):
    """Whose client, and what it may."""

    agency: str | None
    role: Role
    clearance: Clearance


class Credential(Said):
    """A credential, by its id and last characters; the secret itself is nowhere."""

    credential: UUID
    last_four: str | None = None
    expires_at: datetime | None = None


class SecretMade(Credential):
    """A new secret, and which ended for it."""

    overlap_days: int | None = None
    reason: str | None = Field(None, description=WORD)
    retired: list[Credential] = Field(default_factory=list)
    keys_ended: list[UUID] = Field(default_factory=list)


class CredentialEnded(Said):
    """Which credential ended, and why."""

    credential: UUID
    reason: str | None = Field(None, description=WORD)


class Misused(Said):
    """From where an ended credential was used."""

    address: str
    ended: Literal["revoked", "expired"]
    credential: UUID


class KeyRegistered(Said):
    """A public key."""

    credential: UUID
    kid: str
    expires_at: datetime


class TokenEnded(Said):
    """When the token would have ended by itself."""

    ends: datetime


class Expiring(Credential):
    """A credential that ends within so many days."""

    days: int


class SigningKeyEnded(Said):
    """Why the key ended; `epoch` is the one that its end began."""

    because: Literal["retired", "compromised"]
    epoch: int | None = None


# the log, webhooks, refusals, erasure: open, for these say more as time goes


class Open(Said):
    """Codes, ids and numbers of the case; more members may come."""

    model_config = ConfigDict(extra="allow")


class Cosigned(Open):
    """The head that a witness signed."""

    size: int
    root: str
    kid: str


class Refused(Open):
    """The code of the problem, and what was asked for."""

    code: str
    operation: str | None = None
    method: str | None = None
    permission: str | None = None
    object: str | None = None


class Failed(Open):
    """How many times within a minute, from where, for which client."""

    client: UUID | None
    address: str | None
    minute: datetime
    count: int
    code: str


# webhooks


class WebhookMade(Said):
    """What the webhook hears, and the key that signs for it."""

    types: list[str]
    clearance: Clearance
    signature: SignatureScheme
    key: UUID


class WebhookKeyTurned(Reasoned):
    """The key that signs now, and those that end, the newest of them after the overlap."""

    key: UUID
    overlap_hours: int
    retired: list[UUID]


class WebhookParked(Said):
    """Where it stopped, and how the last attempt failed."""

    position: int
    failure: Failure
    status_code: int | None
