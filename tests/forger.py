"""Makes tokens that look like ours: from a good one, and with our key where more than the signature is tried."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.claims import b64
from app.security import Keys

N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SHA256: Final = hashes.SHA256()
Json = dict[str, Any]


def compact(value: Any) -> bytes:
    """JSON as our own tokens hold it."""
    return json.dumps(value, separators=(",", ":")).encode()


def pair(r: int, s: int, size: int = 32) -> bytes:
    """A signature as JOSE writes it."""
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def ecdsa(key: ec.EllipticCurvePrivateKey, text: str, digest: hashes.HashAlgorithm = SHA256) -> bytes:
    """The JOSE form of an ECDSA signature."""
    return pair(*decode_dss_signature(key.sign(text.encode(), ec.ECDSA(digest))), (key.curve.key_size + 7) // 8)


@dataclass(frozen=True)
class Strangers:
    """What else the forger holds of real people: another client's token."""

    token: str

    @property
    def claims(self) -> Json:
        return claims_of(self.token)


def claims_of(token: str) -> Json:
    """The payload of a token, unverified."""
    found: Json = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


class Forger:
    """Knows every trick, and the signing key as well where that shows that what is signed is checked too."""

    def __init__(self, keys: Keys, good: str, other: str) -> None:
        self.good, self.other = good, Strangers(other)
        self.header, self.payload, self.signature = good.split(".")
        self.claims = claims_of(good)
        self.kid, self.issuer = keys.ring[0].kid, keys.issuer
        self.private_pem: bytes = keys.ring[0].private.to_pem()
        private = serialization.load_pem_private_key(self.private_pem, None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        self.private, self.public = private, private.public_key()
        raw = base64.urlsafe_b64decode(self.signature + "==")
        self.r, self.s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    @property
    def now(self) -> int:
        return int(datetime.now(UTC).timestamp())

    # with our key

    def sealed(self, header: str, payload: str) -> str:
        """Two segments as they are, well signed."""
        return f"{header}.{payload}.{b64(ecdsa(self.private, f'{header}.{payload}'))}"

    def saying(self, payload: bytes) -> str:
        """Any payload under our header, well signed."""
        return self.sealed(self.header, b64(payload))

    def claiming(self, **claims: Any) -> str:
        """Other claims, well signed."""
        return self.saying(compact({**self.claims, **claims}))

    def without(self, claim: str) -> str:
        return self.saying(compact({name: value for name, value in self.claims.items() if name != claim}))

    def edited(self, old: str, new: str) -> str:
        """The payload's text with one part replaced, well signed."""
        text = compact(self.claims).decode()
        assert text.count(old) == 1, old
        return self.saying(text.replace(old, new).encode())

    def numbered(self, claim: str, number: str) -> str:
        """A time claim written as any text, without quotes."""
        return self.edited(f'"{claim}":{self.claims[claim]}', f'"{claim}":{number}')

    def headed(self, header: str | bytes | Json) -> str:
        """The good claims under any header, well signed."""
        raw = header.encode() if isinstance(header, str) else header if isinstance(header, bytes) else compact(header)
        return self.sealed(b64(raw), self.payload)

    def head(self, **members: Any) -> Json:
        """Our header with members added or changed."""
        return {"alg": "ES256", "kid": self.kid, "typ": "at+jwt", **members}

    # without it

    def signed_with(self, signature: bytes | str, header: str | None = None) -> str:
        """The good claims with any signature."""
        text = signature if isinstance(signature, str) else b64(signature)
        return f"{header or self.header}.{self.payload}.{text}"

    def hashed_with(self, secret: bytes, digest: str, header: Json | None = None) -> str:
        """The good claims signed with HMAC."""
        text = f"{b64(compact(header)) if header else self.header}.{self.payload}"
        return f"{text}.{b64(hmac.digest(secret, text.encode(), digest))}"

    def by(self, key: ec.EllipticCurvePrivateKey, header: Json | None = None, digest: str = "sha256") -> str:
        """The good claims signed by a key of one's own."""
        text = f"{b64(compact(header)) if header else self.header}.{self.payload}"
        return f"{text}.{b64(ecdsa(key, text, getattr(hashes, digest.upper())()))}"

    def by_rsa(self, alg: str) -> str:
        text = f"{b64(compact(self.head(alg=alg)))}.{self.payload}"
        key = rsa.generate_private_key(65537, 2048)
        scheme = padding.PSS(padding.MGF1(SHA256), 32) if alg == "PS256" else padding.PKCS1v15()
        return f"{text}.{b64(key.sign(text.encode(), scheme, SHA256))}"

    def by_edwards(self, header: str) -> str:
        text = f"{header}.{self.payload}"
        return f"{text}.{b64(ed25519.Ed25519PrivateKey.generate().sign(text.encode()))}"

    @property
    def public_forms(self) -> dict[str, bytes]:
        """The public key in every form in which somebody might take it for a shared secret."""
        encoding, form = serialization.Encoding, serialization.PublicFormat
        pem = self.public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo)
        return {
            "PEM": pem,
            "PEM without its last line end": pem.rstrip(),
            "PEM with Windows line ends": pem.replace(b"\n", b"\r\n"),
            "DER": self.public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
            "raw point": self.public.public_bytes(encoding.X962, form.UncompressedPoint),
            "compressed point": self.public.public_bytes(encoding.X962, form.CompressedPoint),
            "JWK": compact(jwk(self.public)),
        }


def jwk(public: ec.EllipticCurvePublicKey) -> Json:
    """A P-256 public key as a JWK."""
    point = public.public_numbers()
    x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
    return {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)}


def thumbprint(key: Json) -> str:
    """RFC 7638."""
    return b64(hashlib.sha256(compact(dict(sorted(key.items())))).digest())
