"""Our tokens and a second implementation of JOSE: each reads what the other writes, and ours nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from attacks.family import bearer
from fastapi import FastAPI
from forger import Forger
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey
from support import scaled

from app.errors import TokenInvalid
from app.security import Keys, verify

pytestmark = pytest.mark.attack

ALGORITHMS = ["ES256"]
TEXTS = ("iss", "sub", "aud", "client_id", "credential", "epoch", "jti")
TIMES = ("iat", "nbf", "exp")


@pytest.fixture(scope="module")
def private(forger: Forger) -> ECKey:
    return ECKey.import_key(forger.private_pem)


@pytest.fixture(scope="module")
def public(forger: Forger) -> ECKey:
    return ECKey.import_key(forger.public_forms["PEM"])


async def test_another_implementation_verifies_our_token_with_the_public_key(forger: Forger, public: ECKey) -> None:
    assert not public.is_private
    read = jwt.decode(forger.good, public, algorithms=ALGORITHMS)
    assert read.header == {"alg": "ES256", "kid": forger.kid, "typ": "at+jwt"}
    assert read.claims == forger.claims
    rules = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": "simpul"},
        aud={"essential": True, "value": "simpul"},
        sub={"essential": True, "value": read.claims["client_id"]},
        exp={"essential": True},
        nbf={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
    )
    rules.validate(read.claims)


async def test_another_implementation_refuses_our_token_with_another_key_or_another_claim(
    forger: Forger, public: ECKey
) -> None:
    with pytest.raises(BadSignatureError):
        jwt.decode(forger.good, ECKey.generate_key("P-256", private=False), algorithms=ALGORITHMS)
    with pytest.raises(BadSignatureError):
        jwt.decode(f"{forger.header}.{forger.other.token.split('.')[1]}.{forger.signature}", public, ALGORITHMS)


async def test_a_token_of_another_implementation_with_our_key_and_header_is_good(
    http: httpx.AsyncClient, app: FastAPI, forger: Forger, private: ECKey
) -> None:
    """Nothing but the format counts: the claims may stand in any order, the header may not."""
    now = datetime.now(UTC)
    for claims in (forger.claims, dict(reversed(forger.claims.items()))):
        theirs = jws.serialize_compact(forger.head(), json.dumps(claims), private, algorithms=ALGORITHMS)
        assert theirs != forger.good
        assert verify(app.state.keys, theirs, at=now) == verify(app.state.keys, forger.good, at=now)
        assert (await http.get("/v1/me", headers=[*bearer(theirs).headers])).status_code == 200


async def test_a_token_of_another_implementation_with_another_header_is_not(
    http: httpx.AsyncClient, forger: Forger, private: ECKey, public: ECKey
) -> None:
    ours, claims = forger.head(), json.dumps(forger.claims)
    headers: list[dict[str, Any]] = [
        dict(reversed(ours.items())),
        {**ours, "typ": "JWT"},
        {"alg": "ES256", "typ": "at+jwt"},
        {**ours, "cty": "JWT"},
    ]
    others = [jws.serialize_compact(header, claims, private, algorithms=ALGORITHMS) for header in headers]
    others.append(jwt.encode(ours, forger.claims, private, algorithms=ALGORITHMS))  # this one puts `typ` first
    for theirs in others:
        assert jwt.decode(theirs, public, algorithms=ALGORITHMS).claims == forger.claims
        assert (await http.get("/v1/me", headers=[*bearer(theirs).headers])).status_code == 401, theirs


# mutations

often = settings(max_examples=scaled(300, 1_500), deadline=None, database=None)

Edit = tuple[str, int, str]
_edits = st.tuples(
    st.sampled_from(("replace", "insert", "delete", "flip", "swap", "cut", "double")),
    st.integers(0, 2_000),
    st.one_of(
        st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0"),
        st.characters(),
    ),
)


def mutated(token: str, edits: list[Edit]) -> str:
    for kind, where, sign in edits:
        at = where % max(len(token), 1)
        before, here, after = token[:at], token[at : at + 1], token[at + 1 :]
        token = {
            "replace": before + sign + after,
            "insert": before + sign + here + after,
            "delete": before + after,
            "flip": before + (chr(ord(here) ^ 1 << ord(sign) % 7) if here else "") + after,
            "swap": before + after[:1] + here + after[1:],
            "cut": before,
            "double": before + here + here + after,
        }[kind]
    return token


def refused(keys: Keys, token: str) -> bool:
    """Whether a token is refused, and in the one way in which it may be."""
    try:
        verify(keys, token, at=datetime.now(UTC))
    except TokenInvalid:
        return True
    return False


@often
@given(edits=st.lists(_edits, min_size=1, max_size=4))
@example(edits=[("replace", 0, "\ud800")])
def test_any_mutation_of_a_good_token_is_refused(app: FastAPI, forger: Forger, edits: list[Edit]) -> None:
    token = mutated(forger.good, edits)
    assert refused(app.state.keys, token) == (token != forger.good)


def test_one_letter_changed_or_left_out_in_any_place_is_refused(app: FastAPI, forger: Forger) -> None:
    good = forger.good
    for at, letter in enumerate(good):
        others = [chr(ord(letter) ^ 1 << bit) for bit in range(scaled(2, 7))]
        for other in ("", *others):
            assert refused(app.state.keys, good[:at] + other + good[at + 1 :]), (at, other)
    assert not refused(app.state.keys, good)


@often
@given(payload=st.binary(max_size=1_100))
@example(payload=b"[" * 1_000)
@example(payload=b"9" * 1_000)
def test_any_well_signed_payload_but_claims_is_refused(app: FastAPI, forger: Forger, payload: bytes) -> None:
    assert refused(app.state.keys, forger.saying(payload))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@often
@given(claim=st.sampled_from([*TEXTS, *TIMES]), value=_json)
def test_any_other_value_of_a_claim_is_refused(app: FastAPI, forger: Forger, claim: str, value: Any) -> None:
    assume(type(value) is not int or claim not in TIMES)
    assert refused(app.state.keys, forger.claiming(**{claim: value}))
