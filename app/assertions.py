"""Client assertions (RFC 7523, `private_key_jwt`): a client signs with its own key, so that we keep nothing secret.

Unlike the header of our own tokens this one is the client's. It is parsed once, without duplicates, and may say three
things: `alg`, which must be ES256, `kid`, which chooses among the client's keys, `typ`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.claims import LEEWAY, strict_object, unb64
from app.security import signed_by

ALGORITHMS: Final = ("ES256",)
LONGEST_LIFE: Final = timedelta(minutes=5)
_FORM: Final = re.compile(r"([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{20,2800})\.([A-Za-z0-9_-]{86})", re.ASCII)
_TYPES: Final = {"jwt", "client-authentication+jwt"}
_NAME: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a client says about itself, not believed yet: `holds` is what makes it so."""

    client_id: UUID
    kid: str
    jti: str
    ends: datetime
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read_assertion(text: str, *, audiences: frozenset[str], at: datetime) -> Assertion:
    """An assertion of lawful form, for us and in time; raises ValueError for anything else.

    `exp` may lie five minutes ahead at most. RFC 7523 section 3.
    """
    try:
        return _read(text, audiences, at)
    except Exception as cause:
        raise ValueError("assertion") from cause


def _read(text: str, audiences: frozenset[str], at: datetime) -> Assertion:
    match = _FORM.fullmatch(text) if len(text) <= 5600 and text.isascii() else None
    if match is None:
        raise ValueError("form")
    head, payload, signature = match.groups()
    header = strict_object(unb64(head))
    if not {"alg", "kid"} <= header.keys() <= {"alg", "kid", "typ"} or header["alg"] not in ALGORITHMS:
        raise ValueError("header")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise ValueError("type")
    claims = strict_object(unb64(payload))
    client = _text(claims, "iss")
    if claims.get("sub") != client or _audience(claims.get("aud")) not in audiences:
        raise ValueError("addressee")
    return Assertion(
        UUID(client),
        _text(header, "kid"),
        _text(claims, "jti"),
        _end(claims, at),
        f"{head}.{payload}".encode(),
        unb64(signature),
    )


def holds(assertion: Assertion, key: dict[str, Any]) -> bool:
    """Whether the owner of this registered public key, which must be fit for ES256, signed the assertion."""
    named = (key.get("kty"), key.get("crv"), key.get("use", "sig"), key.get("alg", "ES256"))
    fit = named == ("EC", "P-256", "sig", "ES256") and "d" not in key
    return fit and signed_by(key, assertion.signed, assertion.signature)


def _text(part: dict[str, Any], name: str) -> str:
    found = part.get(name)
    if type(found) is not str or not _NAME.fullmatch(found):
        raise ValueError(name)
    return found


def _audience(said: Any) -> Any:
    """The one audience; a list of several could be replayed elsewhere."""
    return said[0] if type(said) is list and len(said) == 1 and type(said[0]) is str else said


def _end(claims: dict[str, Any], at: datetime) -> datetime:
    """When the assertion ends; raises ValueError when it has ended, ends too late or was not begun."""
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if "exp" not in times or any(type(one) is not int for one in times.values()):
        raise ValueError("times")
    now, longest, leeway = at.timestamp(), LONGEST_LIFE.total_seconds(), LEEWAY.total_seconds()
    begins = max(times.get("iat", 0), times.get("nbf", 0))
    if not now - leeway < times["exp"] <= now + longest or not begins <= now + leeway or begins > times["exp"]:
        raise ValueError("time")
    if "iat" in times and times["exp"] - times["iat"] > longest:
        raise ValueError("life")
    return datetime.fromtimestamp(times["exp"], UTC)
