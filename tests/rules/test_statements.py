"""Statements: what was signed is read, by another implementation too; nothing else is."""

from __future__ import annotations

import hmac
import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey
from support import scaled

from app import security
from app.claims import b64, unb64
from app.security import SigningKey
from app.statements import Kind, Unsigned, read, state

pytestmark = pytest.mark.attack

KEY, OTHER = (SigningKey.load(security.new_pem()) for _ in range(2))
PUBLIC: list[dict[str, Any]] = [OTHER.published(), KEY.published()]
HEAD = {"iss": "simpul", "size": 8, "root": "5d" * 32, "iat": 1732233600}
KINDS = pytest.mark.parametrize("kind", Kind)
CHARACTERS = string.ascii_letters + string.digits + "-_.="


def header(**other: Any) -> dict[str, Any]:
    return {"alg": "ES256", "kid": KEY.kid, "typ": str(Kind.HEAD), **other}


def signed(header: str, payload: str) -> str:
    """Our own key signs whatever it is given."""
    content = f"{b64(header.encode())}.{b64(payload.encode())}"
    return f"{content}.{b64(KEY.private.sign(content.encode()))}"


def elsewhere(key: SigningKey) -> ECKey:
    """The public half as another implementation knows it."""
    return ECKey.import_key({**key.published()})


def canonical(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def unsigned(text: str, kind: Kind = Kind.HEAD, keys: list[dict[str, Any]] = PUBLIC) -> bool:
    try:
        read(keys, kind, text)
    except Unsigned:
        return True
    return False


@KINDS
def test_what_was_stated_is_read_with_the_key_that_stated_it(kind: Kind) -> None:
    assert read(PUBLIC, kind, state(KEY, kind, HEAD)) == (HEAD, KEY.kid)
    assert read(PUBLIC, kind, state(OTHER, kind, HEAD)) == (HEAD, OTHER.kid)


@KINDS
def test_another_implementation_verifies_ours(kind: Kind) -> None:
    said = jws.deserialize_compact(state(KEY, kind, HEAD), elsewhere(KEY), algorithms=["ES256"])
    assert said.headers() == {"alg": "ES256", "kid": KEY.kid, "typ": str(kind)}
    assert json.loads(said.payload) == HEAD
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(state(KEY, kind, HEAD), elsewhere(OTHER), algorithms=["ES256"])


def test_ours_reads_what_another_implementation_signs_under_our_header() -> None:
    private = ECKey.import_key(security.new_pem())
    public = {**private.as_dict(private=False), "kid": KEY.kid}
    text = jws.serialize_compact(header(), canonical(HEAD), private, algorithms=["ES256"])
    assert read([public], Kind.HEAD, text) == (HEAD, KEY.kid)
    assert unsigned(text)


@KINDS
def test_a_statement_is_none_of_another_kind(kind: Kind) -> None:
    text = state(KEY, kind, HEAD)
    assert [one for one in Kind if not unsigned(text, one)] == [kind]


def test_nobody_states_for_us() -> None:
    stranger = SigningKey.load(security.new_pem())
    text = state(stranger, Kind.HEAD, HEAD)
    assert unsigned(text)
    under_our_name = {**stranger.published(), "kid": KEY.kid}
    assert unsigned(text, keys=[under_our_name, *PUBLIC])
    assert unsigned(state(KEY, Kind.HEAD, HEAD), keys=[])
    assert unsigned(state(KEY, Kind.HEAD, HEAD), keys=[OTHER.published()])
    assert unsigned(state(KEY, Kind.HEAD, HEAD), keys=[under_our_name])


@pytest.mark.parametrize(
    "change",
    [
        lambda one: {**one, "alg": "none"},
        lambda one: {**one, "alg": "HS256"},
        lambda one: {**one, "alg": "es256"},
        lambda one: {**one, "typ": "at+jwt"},
        lambda one: {**one, "typ": "JWT"},
        lambda one: {**one, "kid": OTHER.kid},
        lambda one: {**one, "kid": ""},
        lambda one: {**one, "kid": [KEY.kid]},
        lambda one: {**one, "jwk": KEY.published()},
        lambda one: {**one, "jku": "https://example.org/keys"},
        lambda one: {**one, "crit": ["exp"], "exp": 0},
        lambda one: {**one, "b64": False},
        lambda one: {name: one[name] for name in ("kid", "typ")},
        lambda one: {name: one[name] for name in ("alg", "typ")},
        lambda one: {name: one[name] for name in ("alg", "kid")},
        lambda _: {},
        lambda _: [],
    ],
)
def test_no_header_but_ours_is_read_even_under_our_signature(change: Callable[[dict[str, Any]], Any]) -> None:
    assert not unsigned(signed(canonical(header()), canonical(HEAD)))
    assert unsigned(signed(canonical(change(header())), canonical(HEAD)))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(header()),  # with blanks
        canonical(header()) + " ",
        canonical(header())[:-1] + f',"typ":"{Kind.HEAD}"}}',  # a member twice
        canonical(header()).replace('"alg"', '"\\u0061lg"'),
        f'{{"typ":"{Kind.HEAD}","kid":"{KEY.kid}","alg":"ES256"}}',
    ],
    ids=range(5),  # kids are random, and no name for a test
)
def test_another_spelling_of_our_header_is_not_read(text: str) -> None:
    assert unsigned(signed(text, canonical(HEAD)))


def test_no_signature_is_none() -> None:
    head, payload, signature = state(KEY, Kind.HEAD, HEAD).split(".")
    none = b64(canonical({"alg": "none"}).encode())
    for text in (f"{head}.{payload}.", f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{head}.{payload}"):
        assert unsigned(text)
    assert unsigned(f"{head}.{payload}.{b64(bytes(64))}")
    assert unsigned(f"{head}.{payload}.{b64(bytes(63) + b'1')}")
    assert unsigned(f"{head}.{payload}.{b64(unb64(signature) + bytes(1))}")


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    for secret in (KEY.public.to_pem(), canonical(KEY.published()).encode()):
        for alg in ("HS256", "ES256"):
            content = f"{b64(canonical(header(alg=alg)).encode())}.{b64(canonical(HEAD).encode())}"
            assert unsigned(f"{content}.{b64(hmac.digest(secret, content.encode(), 'sha256'))}")


@pytest.mark.parametrize(
    "payload",
    [
        '{"size":8,"size":9}',
        '{"a":{"size":8,"size":9}}',
        '{"size":NaN}',
        '{"size":Infinity}',
        "[8]",
        "8",
        "null",
        "",
        '{"size":8',
        '{"size":8}{}',
        "[" * 20_000,
    ],
)
def test_what_can_be_read_in_two_ways_says_nothing_even_under_our_signature(payload: str) -> None:
    assert unsigned(signed(canonical(header()), payload))


def test_bytes_that_are_no_utf8_say_nothing() -> None:
    for payload in (b'{"iss":"\xff"}', '{"size":8}'.encode("utf-16"), b'\xef\xbb\xbf{"size":8}'):
        content = f"{b64(canonical(header()).encode())}.{b64(payload)}"
        assert unsigned(f"{content}.{b64(KEY.private.sign(content.encode()))}")


def test_an_overlong_statement_is_nobodys() -> None:
    assert not unsigned(state(KEY, Kind.HEAD, {"said": "x" * 40_000}))
    assert unsigned(state(KEY, Kind.HEAD, {"said": "x" * 60_000}))


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b.c", "a" * 100, "\0", "\ud800", "é.é.é", "中.中.中"])
def test_what_has_no_form_is_unsigned(text: str) -> None:
    assert unsigned(text)


def test_a_key_that_is_none_signs_nothing() -> None:
    text = state(KEY, Kind.HEAD, HEAD)
    good = KEY.published()
    for broken in (
        {**good, "x": good["y"]},
        {**good, "crv": "P-384"},
        {**good, "kty": "oct", "k": good["x"]},
        {name: one for name, one in good.items() if name != "y"},
        {"kid": KEY.kid},
        {},
    ):
        assert unsigned(text, keys=[broken])


@settings(max_examples=scaled(150, 5000))
@given(st.data())
def test_a_statement_with_one_character_changed_is_unsigned(data: st.DataObject) -> None:
    text = state(KEY, Kind.RECEIPT, {**HEAD, "leaves": ["aa" * 32]})
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(CHARACTERS.replace(text[place], "")))
    assert unsigned(text[:place] + other + text[place + 1 :], Kind.RECEIPT)


@settings(max_examples=scaled(100, 3000))
@given(st.data())
def test_a_statement_cut_or_lengthened_is_unsigned(data: st.DataObject) -> None:
    text = state(KEY, Kind.HEAD, HEAD)
    place = data.draw(st.integers(0, len(text) - 1))
    more = data.draw(st.text(CHARACTERS + " \n", min_size=1, max_size=4))
    assert unsigned(text[:place] + text[place + 1 :])
    assert unsigned(text[:place])
    assert unsigned(text[:place] + more + text[place:])
    assert unsigned(text + more)
    assert unsigned(more + text)


@settings(max_examples=scaled(50, 1000))
@given(st.data())
def test_parts_of_two_statements_make_no_third(data: st.DataObject) -> None:
    first, second = state(KEY, Kind.HEAD, HEAD), state(OTHER, Kind.HEAD, {**HEAD, "size": 9})
    parts = [first.split("."), second.split(".")]
    chosen = [data.draw(st.sampled_from((0, 1))) for _ in range(3)]
    mixed = ".".join(parts[which][place] for place, which in enumerate(chosen))
    assert unsigned(mixed) == (len(set(chosen)) > 1)
