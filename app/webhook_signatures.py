"""Standard Webhooks: what signs a delivery, and how its signature is written.

`v1a` is Ed25519, whose public half (`whpk_`) verifies; `v1` is HMAC-SHA-256 under a secret that both sides know
(`whsec_`). Signed is `{id}.{timestamp}.{body}`.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

from app.rules.webhooks import SignatureScheme
from app.security import Keys, seal, unseal


@dataclass(frozen=True, slots=True)
class Made:
    """A fresh key: its private content, the public half (`whpk_`) or the shared secret (`whsec_`)."""

    private: bytes = field(repr=False)
    public_key: str | None = None
    shared: str | None = field(default=None, repr=False)


def make(scheme: SignatureScheme) -> Made:
    """A fresh key of 32 bytes."""
    private = secrets.token_bytes(32)
    if scheme is SignatureScheme.V1:
        return Made(private, shared=f"whsec_{b64encode(private).decode()}")
    public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return Made(private, public_key=f"whpk_{b64encode(public).decode()}")


def sealed(keys: Keys, id: UUID, made: Made) -> bytes:
    """The private content under seal."""
    return seal(keys, f"webhook-secret:{id}", made.private)


def opened(keys: Keys, id: UUID, kept: bytes) -> bytes:
    """The private content again; raises ValueError under another pepper."""
    return unseal(keys, f"webhook-secret:{id}", kept)


def headers(scheme: SignatureScheme, live: Iterable[bytes], *, id: UUID, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of one attempt, with a signature by each key that is live."""
    stamp = int(at.timestamp())
    signatures = [_sign(scheme, private, str(id), at.replace(microsecond=0), body) for private in live]
    return {"webhook-id": str(id), "webhook-timestamp": str(stamp), "webhook-signature": " ".join(signatures)}


def _sign(scheme: SignatureScheme, private: bytes, id: str, at: datetime, body: bytes) -> str:
    if scheme is SignatureScheme.V1:
        return Webhook(private).sign(id, at, body.decode())
    signed = b".".join((id.encode(), str(int(at.timestamp())).encode(), body))
    return f"v1a,{b64encode(Ed25519PrivateKey.from_private_bytes(private).sign(signed)).decode()}"
