"""A client that signs its own assertions (RFC 7523), with another JOSE than the service's, or wrongly on purpose."""

from __future__ import annotations

import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.claims import b64
from app.db import Database
from app.models import ClientKey

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def compact(content: Any) -> str:
    return b64(content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode())


class Signer:
    """One key pair of one client."""

    def __init__(self, client_id: str, *, kid: str | None = None) -> None:
        self.client_id, self.kid = client_id, kid or f"k-{uuid4()}"
        self.key: Any = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        x, y = (compact(one.to_bytes(32)) for one in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid}

    @property
    def public_pem(self) -> bytes:
        found: bytes = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return found

    async def register(self, database: Database, *, ends_in: timedelta = timedelta(days=1)) -> UUID:
        """Put the public half where the service looks for it; returns the credential's id."""
        async with database.writing() as writer:
            client, ends = UUID(self.client_id), datetime.now(UTC) + ends_in
            key = ClientKey(client_id=client, kid=self.kid, jwk=self.jwk, expires_at=ends)
            writer.add(key)
        return key.id

    def claims(self, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        said = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": "simpul",
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 120,
        }
        return {name: one for name, one in {**said, **other}.items() if one is not None}

    def header(self, **other: Any) -> dict[str, Any]:
        said = {"alg": "ES256", "kid": self.kid, "typ": "JWT", **other}
        return {name: one for name, one in said.items() if one is not None}

    def assertion(self, claims: Any = None, header: Any = None) -> str:
        """By default a good one; bytes are taken as they are."""
        content = f"{compact(header or self.header())}.{compact(claims or self.claims())}"
        return f"{content}.{b64(self.sign(content.encode()))}"

    def sign(self, content: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def with_public_key_as_secret(self, secret: bytes) -> str:
        content = f"{compact(self.header(alg='HS256'))}.{compact(self.claims())}"
        return f"{content}.{b64(hmac.digest(secret, content.encode(), 'sha256'))}"

    def form(self, assertion: str | None = None, **other: str) -> dict[str, str]:
        shown = {"client_assertion_type": TYPE, "client_assertion": assertion or self.assertion()}
        return {"grant_type": "client_credentials", **shown, **other}
