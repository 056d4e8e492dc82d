"""Attacks on the signature: numbers that always fit, other forms of it, other texts, other keys."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from forger import Forger, N, compact, ecdsa, pair

from app.claims import b64
from attacks.family import tokens

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
LARGEST = 2**256 - 1
Made = Iterator[tuple[str, str]]


@tokens("signature of zeros")
def zeros(forger: Forger) -> Made:
    for case, r, s in (("both", 0, 0), ("r", 0, forger.s), ("s", forger.r, 0), ("r, s one", 0, 1), ("s, r one", 1, 0)):
        yield case, forger.signed_with(pair(r, s))


@tokens("signature at the edge of the group")
def edges(forger: Forger) -> Made:
    for name, number in (("n", N), ("n + 1", N + 1), ("n - 1", N - 1), ("p", P), ("largest", LARGEST), ("1", 1)):
        yield f"r = {name}", forger.signed_with(pair(number, forger.s))
        yield f"s = {name}", forger.signed_with(pair(forger.r, number))
        yield f"both = {name}", forger.signed_with(pair(number, number))


@tokens("signature with r and s altered")
def altered(forger: Forger) -> Made:
    r, s = forger.r, forger.s
    for case, one, two in (
        ("swapped", s, r), ("r negated", N - r, s), ("both negated", N - r, N - s), ("r twice", r, r), ("s twice",
        s, s),
        ("r + 1", (r + 1) % N, s), ("s + 1", r, (s + 1) % N), ("s doubled", r, 2 * s % N), ("s inverted",
        r, pow(s, -1, N)),
    ):  # fmt: skip
        yield case, forger.signed_with(pair(one, two))
    raw = pair(r, s)
    yield "bytes reversed", forger.signed_with(raw[::-1])
    yield "little endian", forger.signed_with(raw[31::-1] + raw[:31:-1])


@tokens("signature with one bit flipped")
def flipped(forger: Forger) -> Made:
    raw = pair(forger.r, forger.s)
    for bit in range(0, 512, 37):
        yield (
            str(bit),
            forger.signed_with(bytes(b ^ (1 << bit % 8 if at == bit // 8 else 0) for at, b in enumerate(raw))),
        )


@tokens("signature in DER")
def in_der(forger: Forger) -> Made:
    der = utils.encode_dss_signature(forger.r, forger.s)
    yield "whole", forger.signed_with(der)
    yield "cut to 64 bytes", forger.signed_with(der[:64])
    yield "its last 64 bytes", forger.signed_with(der[-64:])
    yield "of small numbers, filled up", forger.signed_with(utils.encode_dss_signature(1, 1).ljust(64, b"\0"))


@tokens("signature of another length")
def lengths(forger: Forger) -> Made:
    good = forger.signature
    for size in (0, 1, 43, 84, 85):
        yield f"{size} characters", forger.signed_with(good[:size])
    yield "first cut off", forger.signed_with(good[1:])
    for more in ("A", "AA", good):
        yield f"{len(good) + len(more)} characters", forger.signed_with(good + more)
    for size in (63, 65, 66, 96, 128):
        yield f"{size} bytes, filled up", forger.signed_with(pair(forger.r, forger.s).ljust(size, b"\0")[:size])
    yield "numbers of 33 bytes", forger.signed_with(pair(forger.r, forger.s, 33))
    yield "numbers of 48 bytes", forger.signed_with(pair(forger.r, forger.s, 48))


@tokens("signature of another token")
def of_another_token(forger: Forger) -> Made:
    h, p, s = forger.other.token.split(".")
    yield "theirs on our claims", f"{forger.header}.{forger.payload}.{s}"
    yield "ours on their claims", f"{h}.{p}.{forger.signature}"
    for claim, value in (
        ("role", "operator"),
        ("agency", ""),
        ("exp", forger.claims["exp"] + 1),
        ("jti", forger.claims["sub"]),
    ):
        changed = b64(compact({**forger.claims, claim: value}))
        yield f"ours on another {claim}", f"{forger.header}.{changed}.{forger.signature}"


@tokens("signature of another text")
def of_another_text(forger: Forger) -> Made:
    h, p = forger.header, forger.payload
    raw = base64.urlsafe_b64decode(p + "==").decode()
    for case, text in (
        ("header", h), ("payload", p), ("joined without a dot", h + p), ("other order", f"{p}.{h}"),
        ("decoded payload", raw),
        ("dot at the end", f"{h}.{p}."), ("empty", ""), ("padded", f"{h}==.{p}=="), ("line end", f"{h}.{p}\n"),
        ("scheme", f"Bearer {h}.{p}"), ("the whole token", forger.good),
    ):  # fmt: skip
        yield case, forger.signed_with(ecdsa(forger.private, text))


@tokens("signature with another digest")
def of_another_digest(forger: Forger) -> Made:
    text = f"{forger.header}.{forger.payload}"
    for digest in (hashes.SHA224(), hashes.SHA384(), hashes.SHA512(), hashes.SHA3_256(), hashes.BLAKE2s(32)):
        yield digest.name, forger.signed_with(ecdsa(forger.private, text, digest))
    once = hashes.Hash(hashes.SHA256())
    once.update(text.encode())
    yield "SHA-256 twice", forger.signed_with(ecdsa(forger.private, once.finalize().hex()))


@tokens("another key under our kid")
def another_key(forger: Forger) -> Made:
    for number in range(3):
        yield f"a fresh one {number}", forger.by(ec.generate_private_key(ec.SECP256R1()))
    for secret in (1, 2, N - 1):
        yield f"secret {secret % 1000}", forger.by(ec.derive_private_key(secret, ec.SECP256R1()))
    yield "another curve of 256 bits", forger.by(ec.generate_private_key(ec.SECP256K1()))
    yield "yet another", forger.by(ec.generate_private_key(ec.BrainpoolP256R1()))
    yield "Edwards curve", forger.by_edwards(forger.header)


@tokens("a key that was ours once, or is not yet")
def dead_key(forger: Forger) -> Made:
    for number in range(2):
        dead = ec.generate_private_key(ec.SECP256R1())
        kid = b64(bytes([number] * 12))
        yield f"its own kid {number}", forger.by(dead, forger.head(kid=kid))
        yield f"its own kid {number}, signed with our key", forger.headed(forger.head(kid=kid))


@tokens("signature that is something else")
def something_else(forger: Forger) -> Made:
    raw = forger.public_forms["raw point"][1:]
    for case, signature in (
        ("public key", raw),
        ("hash twice", forger.kid.encode().ljust(64, b"\0")),
        ("text", b"signature" * 7 + b"!"),
    ):
        yield case, forger.signed_with(signature)
    yield "all one letter", forger.signed_with("A" * 86)
    yield "highest", forger.signed_with("_" * 85 + "w")
    yield "the payload's beginning", forger.signed_with((forger.payload * 2)[:86])
