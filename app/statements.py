"""Statements that somebody may hold against us in court: heads of the log, receipts, cosignatures.

Each is a compact JWS (RFC 7515), ES256 on P-256. Its header is one of those that this module would write, looked up and
never parsed, like that of an access token.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import rfc8785

from app.claims import b64, strict_object, unb64
from app.security import SigningKey, signed_by

#: Longer ones are nobody's; a receipt of a large request is the longest.
_LONGEST: Final = 64 * 1024


class Kind(StrEnum):
    """What is stated (`typ`)."""

    HEAD = "simpul-head+jwt"
    RECEIPT = "simpul-receipt+jwt"
    COSIGNATURE = "simpul-cosignature+jwt"


class Unsigned(ValueError):
    """A statement that none of these keys has signed."""


@lru_cache(maxsize=256)
def _header(kind: Kind, kid: str) -> str:
    return b64(rfc8785.dumps({"alg": "ES256", "kid": kid, "typ": kind.value}))


def state(key: SigningKey, kind: Kind, said: dict[str, Any]) -> str:
    """Sign a statement; its content in canonical JSON (RFC 8785)."""
    signed = f"{_header(kind, key.kid)}.{b64(rfc8785.dumps(said))}"
    return f"{signed}.{b64(key.private.sign(signed.encode()))}"


def read(keys: Iterable[dict[str, Any]], kind: Kind, text: str) -> tuple[dict[str, Any], str]:
    """What a statement of this kind says, and the kid of the one of these public JWKs that signed it.

    Raises Unsigned.
    """
    try:
        return _read(keys, kind, text)
    except Exception as cause:
        raise Unsigned(str(kind)) from cause


def _read(keys: Iterable[dict[str, Any]], kind: Kind, text: str) -> tuple[dict[str, Any], str]:
    if len(text) > _LONGEST:
        raise ValueError("length")
    header, payload, signature = text.split(".")
    key = next(key for key in keys if _header(kind, key["kid"]) == header)
    if not signed_by(key, f"{header}.{payload}".encode(), unb64(signature)):
        raise ValueError("signature")
    return strict_object(unb64(payload)), key["kid"]
