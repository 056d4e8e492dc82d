"""Token forms, fingerprints, signatures, sealing. The only importer of jose."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import os
import re
import secrets
import string
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
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

from app.claims import Claims, b64, global_epoch, in_time, read_claims, segments, unb64
from app.errors import CursorMismatch, TokenInvalid

_ALPHABET: Final = string.digits + string.ascii_letters
_SECRET: Final = re.compile(r"smp_[a-z]{1,12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", re.ASCII)
_PUBLISHED: Final = re.compile(rb'\{"alg":"ES256","kid":"[A-Za-z0-9_-]{16}","typ":"at\+jwt"\}')
_REMEMBERED: Final = 4096


class Behind(ValueError):
    """A token that names a key or an epoch which this process does not know: only a newer ring can tell.

    A ring read within `patience` seconds is new enough: anybody can make up a key, nobody signs for a later epoch.
    """

    def __init__(self, patience: float) -> None:
        super().__init__("ring")
        self.patience = patience


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
        return cls.known(public_half(pem), pem)

    @classmethod
    def known(cls, public: bytes, pem: bytes | None) -> SigningKey:
        """The key of a public PEM, and of its private one where this process signs with it."""
        kid = b64(hashlib.sha256(public).digest()[:12])
        header = json.dumps({"alg": "ES256", "kid": kid, "typ": "at+jwt"}, separators=(",", ":"))
        return cls(
            kid,
            pem and jwk.construct(pem.decode(), ALGORITHMS.ES256),
            jwk.construct(public.decode(), ALGORITHMS.ES256),
            b64(header.encode()),
        )

    def published(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517)."""
        return {**self.public.to_dict(), "use": "sig", "kid": self.kid}


@dataclass(eq=False)
class Keys:
    """The signing ring (first key signs, all verify) and the pepper from which every other key is derived.

    The ring lives in the database (services.signing); `epoch` is the number of the epoch of all tokens when it was
    read, and None accepts any. `turn` replaces both at once.
    """

    ring: tuple[SigningKey, ...]
    pepper: bytes = field(repr=False)
    issuer: str = "simpul"
    epoch: int | None = field(default=None, init=False)
    read_at: float = field(default=-math.inf, init=False)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    #: what signs heads and receipts (services.log_keys), and when it was read
    log_key: SigningKey | None = field(default=None, init=False)
    log_key_read_at: float = field(default=-math.inf, init=False)
    checked: OrderedDict[bytes, Claims] = field(default_factory=OrderedDict, init=False, repr=False)

    @classmethod
    def open(cls, folder: Path, *, issuer: str, pepper: str | None = None) -> Keys:
        """Read the pepper from a folder, making it (mode 0600) where there is none; the ring is still to be read."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = pepper.encode() if pepper else _keep(folder / "pepper", secrets.token_bytes(32))
        return cls((), secret, issuer)

    def turn(self, ring: tuple[SigningKey, ...], *, epoch: int, at: float) -> None:
        """Take over a ring read from the database; what was checked under another one is forgotten."""
        if [key.kid for key in ring] != [key.kid for key in self.ring]:
            self.checked.clear()
        self.ring, self.epoch, self.read_at = ring, epoch, at

    def key_for(self, purpose: str) -> bytes:
        """A 256-bit key for one purpose, derived from the pepper."""
        return hmac.digest(self.pepper, purpose.encode(), "sha256")


def new_pem() -> bytes:
    """A fresh ES256 key as a PKCS #8 PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_half(pem: bytes) -> bytes:
    """The public PEM of a private one."""
    public = serialization.load_pem_private_key(pem, None).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


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
    """Signature and claims, or what is remembered of them: the time is always looked at, standing never kept."""
    name = hashlib.sha256(token.encode()).digest()
    claims = keys.checked.get(name) or _signed(keys, token)
    if not in_time(claims, at=at):
        keys.checked.pop(name, None)
        raise ValueError("time")
    if keys.epoch is not None and global_epoch(claims.epoch) > keys.epoch:
        raise Behind(patience=0)
    keys.checked[name] = claims
    keys.checked.move_to_end(name)
    if len(keys.checked) > _REMEMBERED:
        keys.checked.popitem(last=False)
    return claims


def _signed(keys: Keys, token: str) -> Claims:
    header, payload, signature = segments(token)
    key = next((key for key in keys.ring if hmac.compare_digest(key.header, header)), None)
    if key is None:
        raise Behind(patience=1) if _PUBLISHED.fullmatch(unb64(header)) else ValueError("header")
    if not key.public.verify(f"{header}.{payload}".encode(), unb64(signature)):
        raise ValueError("signature")
    return read_claims(payload, issuer=keys.issuer)


def signed_by(public: dict[str, Any], content: bytes, signature: bytes) -> bool:
    """Whether the owner of a public JWK signed the content; raises ValueError for a key that is none.

    For ES256 on P-256 alone, whatever the key or a header says of itself.
    """
    try:
        key = _public_key(public["kty"], public["crv"], public["x"], public["y"])
    except Exception as cause:
        raise ValueError("key") from cause
    return bool(key.verify(content, signature))


@lru_cache(maxsize=256)
def _public_key(kty: str, crv: str, x: str, y: str) -> Any:
    return jwk.construct({"kty": kty, "crv": crv, "x": x, "y": y}, ALGORITHMS.ES256)


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
    return lock(keys.key_for(f"seal:{name}"), content)


def unseal(keys: Keys, name: str, sealed: bytes) -> bytes:
    """The content of a seal; raises ValueError if it does not open."""
    return unlock(keys.key_for(f"seal:{name}"), sealed)


def lock(key: bytes, content: bytes) -> bytes:
    """Encrypt content under a 256-bit key (AES-GCM, the nonce in front)."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, content, None)


def unlock(key: bytes, locked: bytes) -> bytes:
    """What `lock` locked; raises ValueError under any other key."""
    try:
        return AESGCM(key).decrypt(locked[:12], locked[12:], None)
    except InvalidTag as cause:
        raise ValueError("seal") from cause
