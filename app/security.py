"""Token forms, fingerprints, signatures, sealing. The only importer of jose (TRUST.md section 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jose import jwk
from jose.constants import ALGORITHMS
from uuid_utils.compat import uuid7

from app.errors import CursorMismatch, TokenInvalid
from app.rules.vocabulary import Role

LEEWAY: Final = timedelta(seconds=30)
LONGEST_LIFE: Final = timedelta(minutes=15)
_ALPHABET: Final = string.digits + string.ascii_letters
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{20,1400})\.([A-Za-z0-9_-]{86})", re.ASCII)
_SECRET: Final = re.compile(r"smp_[a-z]{1,12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", re.ASCII)
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


@dataclass(frozen=True)
class SigningKey:
    """One ES256 key of the ring. `header` is the one legal text of its JOSE header segment."""

    kid: str
    private: Any = field(repr=False)
    public: Any
    header: str

    @classmethod
    def load(cls, pem: bytes) -> SigningKey:
        """The key of a PKCS #8 PEM; its kid is the hash of its public half."""
        key = serialization.load_pem_private_key(pem, None)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        kid = b64(hashlib.sha256(public).digest()[:12])
        header = json.dumps({"alg": "ES256", "kid": kid, "typ": "at+jwt"}, separators=(",", ":"))
        return cls(
            kid,
            jwk.construct(pem.decode(), ALGORITHMS.ES256),
            jwk.construct(public.decode(), ALGORITHMS.ES256),
            b64(header.encode()),
        )


@dataclass(frozen=True)
class Keys:
    """The signing ring (first key signs, all verify) and the pepper from which every other key is derived."""

    ring: tuple[SigningKey, ...]
    pepper: bytes = field(repr=False)
    issuer: str = "simpul"

    @classmethod
    def open(cls, folder: Path, *, issuer: str, pepper: str | None = None) -> Keys:
        """Read keys and pepper from a folder, making them (mode 0600) where there are none."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not sorted(folder.glob("*.pem")):
            _keep(folder / "1.pem", _new_pem())
        secret = pepper.encode() if pepper else _keep(folder / "pepper", secrets.token_bytes(32))
        ring = tuple(SigningKey.load(path.read_bytes()) for path in sorted(folder.glob("*.pem"), reverse=True))
        return cls(ring, secret, issuer)

    def key_for(self, purpose: str) -> bytes:
        """A 256-bit key for one purpose, derived from the pepper."""
        return hmac.digest(self.pepper, purpose.encode(), "sha256")


def _new_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _keep(path: Path, content: bytes) -> bytes:
    """Write a file once, whole and mode 0600, unless another process was first; return what it holds."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


# access tokens


def issue(
    keys: Keys,
    *,
    client_id: UUID,
    agency: str,
    role: str,
    credential: UUID,
    epoch: str,
    at: datetime,
    life: timedelta,
) -> str:
    """An access token (RFC 9068) signed with ES256, ending after `life`."""
    start = int(at.timestamp())
    claims = {
        "iss": keys.issuer,
        "sub": str(client_id),
        "aud": keys.issuer,
        "client_id": str(client_id),
        "agency": agency,
        "role": role,
        "credential": str(credential),
        "epoch": epoch,
        "iat": start,
        "nbf": start,
        "exp": start + int(life.total_seconds()),
        "jti": str(uuid7()),
    }
    key = keys.ring[0]
    signed = f"{key.header}.{b64(json.dumps(claims, separators=(',', ':')).encode())}"
    return f"{signed}.{b64(key.private.sign(signed.encode()))}"


def verify(keys: Keys, token: str, *, at: datetime) -> Claims:
    """What a token says, if it is ours and in time; raises TokenInvalid for every cause alike."""
    try:
        return _verify(keys, token, at)
    except Exception as cause:
        raise TokenInvalid from cause


def _verify(keys: Keys, token: str, at: datetime) -> Claims:
    match = _TOKEN.fullmatch(token) if len(token) <= 2400 and token.isascii() else None
    if match is None:
        raise ValueError("form")
    header, payload, signature = match.groups()
    key = next(key for key in keys.ring if hmac.compare_digest(key.header, header))
    if not key.public.verify(f"{header}.{payload}".encode(), unb64(signature)):
        raise ValueError("signature")
    # Decoded here: left bytes, json would guess between UTF-8, -16 and -32, skip a BOM and pass lone surrogates.
    claims = json.loads(unb64(payload).decode(), object_pairs_hook=_no_duplicates, parse_constant=_refuse)
    if type(claims) is not dict or claims.keys() != _TEXTS.keys() | _TIMES:
        raise ValueError("claims")
    if any(type(claims[name]) is not int for name in _TIMES):
        raise ValueError("times")
    if not all(type(claims[name]) is str and re.fullmatch(shape, claims[name]) for name, shape in _TEXTS.items()):
        raise ValueError("texts")
    if claims["iss"] != keys.issuer or claims["aud"] != keys.issuer or claims["sub"] != claims["client_id"]:
        raise ValueError("addressee")
    now, leeway = at.timestamp(), LEEWAY.total_seconds()
    if not 0 < claims["exp"] - claims["iat"] <= LONGEST_LIFE.total_seconds():
        raise ValueError("life")
    if not claims["iat"] <= claims["nbf"] < claims["exp"]:
        raise ValueError("order")
    if claims["nbf"] > now + leeway or claims["exp"] <= now - leeway:
        raise ValueError("time")
    ends = datetime.fromtimestamp(claims["exp"], at.tzinfo)
    return Claims(
        UUID(claims["client_id"]),
        claims["agency"],
        claims["role"],
        UUID(claims["credential"]),
        claims["epoch"],
        UUID(claims["jti"]),
        ends,
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate")
    return found


def _refuse(_: str) -> None:
    raise ValueError("number")


# client secrets


def new_secret(env: str) -> str:
    """A fresh client secret: `smp_<env>_<43 base62>_<6 check characters>`, recognisable offline."""
    body = f"smp_{env}_{''.join(secrets.choice(_ALPHABET) for _ in range(43))}"
    return f"{body}_{_check(body)}"


def is_secret(text: str) -> bool:
    """Whether the text has the form and the check characters of a secret."""
    return _SECRET.fullmatch(text) is not None and _check(text[:-7]) == text[-6:]


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits


def fingerprint(keys: Keys, secret: str) -> bytes:
    """The keyed hash under which a secret is stored."""
    return hmac.digest(keys.key_for("client-secret"), secret.encode(), "sha256")


# cursors and sealed answers


def seal_cursor(keys: Keys, binding: str, position: list[Any]) -> str:
    """An opaque place in a list, sealed for what it is bound to (filter, sort, agency): it may name hidden instants."""
    return b64(seal(keys, f"cursor:{binding}", json.dumps(position, separators=(",", ":")).encode()))


def open_cursor(keys: Keys, binding: str, cursor: str) -> list[Any]:
    """The place a cursor names; raises CursorMismatch if it was altered or is bound to something else."""
    try:
        position: list[Any] = json.loads(unseal(keys, f"cursor:{binding}", unb64(cursor)))
    except ValueError as cause:
        raise CursorMismatch from cause
    return position


def seal(keys: Keys, name: str, content: bytes) -> bytes:
    """Encrypt content so that only who knows `name` (and the pepper) can read it."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(keys.key_for(f"seal:{name}")).encrypt(nonce, content, None)


def unseal(keys: Keys, name: str, sealed: bytes) -> bytes:
    """The content of a seal; raises ValueError if it does not open."""
    try:
        return AESGCM(keys.key_for(f"seal:{name}")).decrypt(sealed[:12], sealed[12:], None)
    except InvalidTag as cause:
        raise ValueError("seal") from cause
