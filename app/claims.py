"""The form of access tokens and what they may claim, read strictly: whatever a JWT leaves open is refused."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

LEEWAY: Final = timedelta(seconds=30)
LONGEST_LIFE: Final = timedelta(minutes=15)
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{86})", re.ASCII)
_EPOCH: Final = re.compile(r"\d{1,9}", re.ASCII)
_CLAIMS: Final[dict[str, type]] = {
    "iss": str,
    "sub": str,
    "aud": str,
    "client_id": str,
    "agency": str,
    "role": str,
    "credential": str,
    "epoch": str,
    "iat": int,
    "nbf": int,
    "exp": int,
    "jti": str,
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
    found = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_refuse)
    if type(found) is not dict:
        raise ValueError("no object")
    return found


def read_claims(payload: str, *, issuer: str) -> Claims:
    """The claims of a payload whose signature was checked, exactly ours; raises ValueError. Times: see `in_time`."""
    claims = strict_object(unb64(payload))
    if claims.keys() != _CLAIMS.keys():
        raise ValueError("claims")
    if any(type(claims[name]) is not kind for name, kind in _CLAIMS.items()):
        raise ValueError("types")
    if claims["iss"] != issuer or claims["aud"] != issuer or claims["sub"] != claims["client_id"]:
        raise ValueError("addressee")
    if not 0 < claims["exp"] - claims["iat"] <= LONGEST_LIFE.total_seconds():
        raise ValueError("life")
    return Claims(
        UUID(claims["client_id"]),
        claims["agency"],
        claims["role"],
        UUID(claims["credential"]),
        claims["epoch"],
        UUID(claims["jti"]),
        datetime.fromtimestamp(max(claims["nbf"], claims["iat"]), UTC),
        datetime.fromtimestamp(claims["exp"], UTC),
    )


def in_time(claims: Claims, *, at: datetime) -> bool:
    """Whether the claims hold at this instant, give or take half a minute."""
    return claims.begins <= at + LEEWAY and claims.ends > at - LEEWAY


def global_epoch(epoch: str) -> int:
    """The number of the epoch of all tokens, the first of the three; raises ValueError."""
    number = epoch.partition(".")[0]
    if not _EPOCH.fullmatch(number):
        raise ValueError("epoch")
    return int(number)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate")
    return found


def _refuse(_: str) -> None:
    raise ValueError("number")
