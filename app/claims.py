"""The form of access tokens and what they may claim, read strictly: whatever a JWT leaves open is refused."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.rules.vocabulary import Role

LEEWAY: Final = timedelta(seconds=30)
LONGEST_LIFE: Final = timedelta(minutes=15)
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{86})", re.ASCII)
_ID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIMES: Final = frozenset({"iat", "nbf", "exp"})
# One spelling each: UUID() alone would read braces, urn:uuid:, capitals and the digits of other scripts.
_TEXTS: Final = {
    "iss": ".+",
    "sub": _ID,
    "aud": ".+",
    "client_id": _ID,
    "agency": "([A-Z][A-Z0-9_]{1,63})?",
    "role": "|".join(Role),
    "credential": _ID,
    "epoch": r"[0-9]{1,19}(\.[0-9]{1,19}){2}",
    "jti": _ID,
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says, still to be held against what the database knows now.

    `credential` is the secret or key it was fetched with; `epoch` names the epochs it was issued in: of all, of the
    agency, of the client.
    """

    client_id: UUID
    agency: str
    role: str
    credential: UUID
    epoch: str
    jti: UUID
    begins: datetime
    ends: datetime


def b64(raw: bytes) -> str:
    """Canonical base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Decode canonical base64url; raises ValueError for any other spelling."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(raw) != text:
        raise ValueError("not canonical")
    return raw


def segments(token: str) -> tuple[str, str, str]:
    """Header, payload and signature of what has the form of our tokens; raises ValueError."""
    match = _TOKEN.fullmatch(token) if len(token) <= 2400 and token.isascii() else None
    if match is None:
        raise ValueError("form")
    header, payload, signature = match.groups()
    return header, payload, signature


def strict_object(text: bytes) -> dict[str, Any]:
    """A JSON object without duplicate members, NaN or Infinity; raises ValueError."""
    # decoded here: left bytes, json would guess between UTF-8, -16 and -32, skip a BOM and pass lone surrogates
    found = json.loads(text.decode(), object_pairs_hook=_no_duplicates, parse_constant=_refuse)
    if type(found) is not dict:
        raise ValueError("no object")
    return found


def read_claims(payload: str, *, issuer: str) -> Claims:
    """The claims of a payload whose signature was checked, exactly ours; raises ValueError. Times: see `in_time`."""
    claims = strict_object(unb64(payload))
    if claims.keys() != _TEXTS.keys() | _TIMES:
        raise ValueError("claims")
    if any(type(claims[name]) is not int for name in _TIMES):
        raise ValueError("times")
    if not all(type(claims[name]) is str and re.fullmatch(shape, claims[name]) for name, shape in _TEXTS.items()):
        raise ValueError("texts")
    if claims["iss"] != issuer or claims["aud"] != issuer or claims["sub"] != claims["client_id"]:
        raise ValueError("addressee")
    if not 0 < claims["exp"] - claims["iat"] <= LONGEST_LIFE.total_seconds():
        raise ValueError("life")
    if not claims["iat"] <= claims["nbf"] < claims["exp"]:
        raise ValueError("order")
    return Claims(
        UUID(claims["client_id"]),
        claims["agency"],
        claims["role"],
        UUID(claims["credential"]),
        claims["epoch"],
        UUID(claims["jti"]),
        datetime.fromtimestamp(claims["nbf"], UTC),
        datetime.fromtimestamp(claims["exp"], UTC),
    )


def in_time(claims: Claims, *, at: datetime) -> bool:
    """Whether the claims hold at this instant, give or take half a minute."""
    return claims.begins <= at + LEEWAY and claims.ends > at - LEEWAY


def global_epoch(epoch: str) -> int:
    """The number of the epoch of all tokens, the first of the three."""
    return int(epoch.partition(".")[0])


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate")
    return found


def _refuse(_: str) -> None:
    raise ValueError("number")
