"""Public keys of clients (RFC 7517): P-256 only, in their one canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec

from app.claims import b64, unb64


def public_jwk(given: Mapping[str, str | None]) -> dict[str, str]:
    """The key as it is stored: a point of P-256 for ES256; its kid is the RFC 7638 thumbprint where none is given.

    Raises ValueError when the coordinates are not canonical or not on the curve.
    """
    named = {"crv": "P-256", "kty": "EC", "x": given["x"] or "", "y": given["y"] or ""}
    x, y = unb64(named["x"]), unb64(named["y"])
    if len(x) != 32 or len(y) != 32:
        raise ValueError("length")
    ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()
    canonical = ",".join(f'"{name}":"{part}"' for name, part in named.items())
    thumbprint = b64(hashlib.sha256(f"{{{canonical}}}".encode()).digest())
    return {**named, "kid": given.get("kid") or thumbprint, "alg": "ES256", "use": "sig"}
