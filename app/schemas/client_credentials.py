"""Secrets and keys of clients on the wire, and the reasons for which they end."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.types import Command, Instant, Prose, Shown

_EXPIRY = "At most 365 days ahead, in no freeze window; default 180 days, or before the window that holds that day."
Coordinate = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", max_length=43)]
Kid = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{4,100}$", max_length=100)]


class ReasonInput(Command):
    """Why access is taken or given back: it stands in the log."""

    reason: Prose


class RotationInput(Command):
    """A new secret to come, and how long the one before it still works."""

    expires_at: Instant | None = Field(None, description=_EXPIRY)
    overlap_days: Annotated[int, Field(strict=True, ge=0, le=30)] = Field(
        7, description="Days that the newest secret of before still works; 0 ends all of them now, for a compromise."
    )
    reason: Prose | None = None


class Credential(Shown):
    """What a secret and a key have in common; `addresses` are the last five it was used from, newest first."""

    id: UUID
    created_by: UUID | None
    recorded_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    addresses: list[str]


class Secret(Credential):
    """A client secret, without the secret."""

    last_four: str


class NewSecret(Secret):
    """A secret just made; `client_secret` is shown this once."""

    client_id: UUID
    client_secret: str


class SecretList(Shown):
    """All secrets that a client ever had, oldest first."""

    items: list[Secret]


class PublicJwk(Command):
    """A public key of P-256 for ES256 (RFC 7517); a member of a private key is refused."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate
    kid: Kid | None = Field(None, description="Default: the thumbprint (RFC 7638). Unique among the client's keys.")
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"


class KeyInput(Command):
    """A public key with which the client will sign its assertions (RFC 7523)."""

    jwk: PublicJwk
    expires_at: Instant | None = Field(None, description=_EXPIRY)


class Key(Credential):
    """A public key of a client, by its kid and its thumbprint (RFC 7638)."""

    kid: str
    thumbprint: str


class KeyList(Shown):
    """All keys that a client ever had, oldest first."""

    items: list[Key]


class TokensRevoked(Shown):
    """Whose tokens issued before this instant are refused: a client's id, or `everybody`."""

    tokens_of: str
    revoked_at: datetime
