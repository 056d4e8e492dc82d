"""The shapes of what facts say of access, of the log and of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.rules.policy import Permission
from app.rules.vocabulary import Clearance, Role
from app.rules.webhooks import Failure, SignatureScheme
from app.schemas.facts import WORD, Reasoned, Said

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


# the log, refusals, erasure


class Cosigned(Said):
    """The head that a witness signed."""

    size: int
    root: str
    kid: str


class HeadLost(Said):
    """The lost head, when it was signed, and whose memory of it this is."""

    size: int
    root: str
    signed_at: str
    source: str


class LogResumed(Said):
    """What is lost, from `kept` to `lost_size`, and who declared it why: in the clear, for it is said to everybody."""

    kept: int
    lost_size: int
    lost_root: str
    lost_signed_at: str
    lost_head: str
    resumed_at_size: int
    declaration: str
    operator: str


class LogRetired(Said):
    """A year whose facts left the database: how many, up to which entry, and by which export they can be known.

    `told_from` is the instant from which on the state of tasks is told as before; `digest` is over the year's facts in
    the export, which covers `size` entries under `root`; `remains` is over what the database keeps of them. `retention`
    full years stay online, and `witnesses` are the agencies, `quorum` of them at least, that had cosigned all of it.
    `dropped` says whether nothing is left of them but that.
    """

    year: int
    count: int
    until: int
    told_from: str
    size: int
    root: str
    digest: str
    remains: str
    retention: int | None
    quorum: int
    witnesses: list[str]
    dropped: bool
    declaration: str
    operator: str


class Refused(Said):
    """The code of the problem, and what was asked for."""

    code: str
    operation: str
    method: str
    permission: Permission | None = None
    object: UUID | None = Field(None, description="The record that the path named first.")


class Failed(Said):
    """How many times within a minute, from where, for which client."""

    client: UUID | None
    address: str | None
    minute: datetime
    count: int
    code: str


class RecordErased(Reasoned):
    """About what kind of record, and the key that is gone; null where nothing was sealed under one."""

    on: Literal["task"]
    key: UUID | None


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
