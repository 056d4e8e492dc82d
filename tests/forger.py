"""Tokens that look like ours and are not."""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.claims import b64
from app.security import Keys, SigningKey

NONE = b'{"alg":"none","typ":"at+jwt"}'


class Forger:
    """Knows every trick, and the signing key as well where that shows that the claims are checked too."""

    def __init__(self, keys: Keys, good: str) -> None:
        self.key, self.good = keys.ring[0], good
        self.header, self.payload, self.signature = good.split(".")
        self.claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(self.payload + "=="))
        self.public = self.key.public.to_pem().decode()

    def signed(self, payload: bytes | dict[str, Any], header: str | None = None) -> str:
        body = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":")).encode()
        text = f"{self.header if header is None else b64(header.encode())}.{b64(body)}"
        return f"{text}.{b64(self.key.private.sign(text.encode()))}"

    def claiming(self, **claims: Any) -> str:
        return self.signed({**self.claims, **claims})

    def headed(self, **header: Any) -> str:
        return self.signed(self.claims, json.dumps(header, separators=(",", ":")))

    def without(self, name: str) -> str:
        return self.signed({claim: value for claim, value in self.claims.items() if claim != name})

    def of_another_key(self) -> str:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        text = f"{self.header}.{self.payload}"
        return f"{text}.{b64(SigningKey.load(pem).private.sign(text.encode()))}"

    def with_public_key_as_secret(self) -> str:
        header = b64(json.dumps({"alg": "HS256", "kid": self.key.kid, "typ": "at+jwt"}).encode())
        text = f"{header}.{self.payload}"
        return f"{text}.{b64(hmac.digest(self.public.encode(), text.encode(), 'sha256'))}"

    def forgeries(self) -> Iterator[tuple[str, str]]:
        now = int(datetime.now(UTC).timestamp())
        kid = self.key.kid
        yield "alg none", f"{b64(NONE)}.{self.payload}."
        yield "alg none, signed", self.headed(alg="none", kid=kid, typ="at+jwt")
        yield "alg NONE", self.headed(alg="NONE", kid=kid, typ="at+jwt")
        yield "alg HS256 with the public key", self.with_public_key_as_secret()
        yield "alg ES384", self.headed(alg="ES384", kid=kid, typ="at+jwt")
        yield "alg list", self.headed(alg=["ES256"], kid=kid, typ="at+jwt")
        yield "another key of the same kid", self.of_another_key()
        yield "other kid", self.headed(alg="ES256", kid="other", typ="at+jwt")
        yield "kid that is a path", self.headed(alg="ES256", kid="../../etc/passwd", typ="at+jwt")
        yield "no kid", self.headed(alg="ES256", typ="at+jwt")
        yield "typ JWT", self.headed(alg="ES256", kid=kid, typ="JWT")
        yield "jwk in the header", self.headed(alg="ES256", kid=kid, typ="at+jwt", jwk={"kty": "oct", "k": ""})
        yield "jku in the header", self.headed(alg="ES256", kid=kid, typ="at+jwt", jku="https://example.org/")
        yield "crit in the header", self.headed(alg="ES256", kid=kid, typ="at+jwt", crit=["exp"])
        yield "header in another order", self.headed(typ="at+jwt", alg="ES256", kid=kid)
        yield (
            "duplicate member of the header",
            self.signed(self.claims, f'{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}'),
        )
        yield (
            "altered payload",
            f"{self.header}.{b64(json.dumps({**self.claims, 'role': 'operator'}).encode())}." + (self.signature),
        )
        yield "altered signature", self.good[:-10] + ("A" if self.good[-10] != "A" else "B") + self.good[-9:]
        yield "signature of zeros", f"{self.header}.{self.payload}.{b64(bytes(64))}"
        yield "signature cut off", self.good[:-1]
        yield "no signature", f"{self.header}.{self.payload}."
        yield "two segments", f"{self.header}.{self.payload}"
        yield "four segments", f"{self.good}.{self.signature}"
        yield "padded segments", ".".join(one + "==" for one in self.good.split("."))
        yield "padded signature", self.good + "=="
        yield "standard alphabet", f"{self.header}.{self.payload}.{'+/' * 43}"
        yield "junk of three segments", "a.b.c"
        yield "long junk of three segments", f"{'a' * 40}.{'b' * 40}.{'c' * 86}"
        yield "dots", ".."
        yield "huge", self.good + "A" * 3000
        yield "huge payload", self.claiming(agency="X" * 1500)
        yield "expired", self.claiming(iat=now - 900, nbf=now - 900, exp=now - 300)
        yield "not yet", self.claiming(iat=now + 300, nbf=now + 300, exp=now + 800)
        yield "too long a life", self.claiming(exp=now + 86_400)
        yield "ends before it begins", self.claiming(exp=self.claims["iat"])
        yield "wrong issuer", self.claiming(iss="https://example.org")
        yield "wrong audience", self.claiming(aud="another-service")
        yield "a list of audiences", self.claiming(aud=["simpul"])
        yield "another subject", self.claiming(sub=str(uuid4()))
        yield "times as text", self.claiming(exp=str(self.claims["exp"]))
        yield "times as fractions", self.claiming(exp=self.claims["exp"] + 0.5)
        yield (
            "a time that is no number",
            self.signed(json.dumps(self.claims).replace(f'"exp": {self.claims["exp"]}', '"exp": NaN').encode()),
        )
        yield "a claim too many", self.claiming(scope="operator")
        yield from ((f"without {name}", self.without(name)) for name in ("exp", "jti", "aud", "role"))
        yield "a claim twice", self.signed(json.dumps(self.claims)[:-1].encode() + b',"role":"operator"}')
        yield "no object", self.signed(b"[]" + b" " * 30)
        yield "no JSON", self.signed(b"\xff" * 40)
        yield "a client that is no id", self.claiming(client_id="x", sub="x")
