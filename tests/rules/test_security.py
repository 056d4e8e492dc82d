"""Tokens, secrets, cursors and seals: what opens, and that nothing else does."""

from __future__ import annotations

import json
import stat
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import security
from app.claims import b64, unb64
from app.errors import CursorMismatch, TokenInvalid
from app.security import Keys, SigningKey, is_secret, issue, new_secret, seal, unseal, verify

NOW = datetime(2024, 8, 23, 7, tzinfo=UTC)
LIFE = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
CLIENT = uuid4()
KEYS = Keys((SigningKey.load(security.new_pem()),), b"p" * 32)
TOKEN_CHARACTERS = string.ascii_letters + string.digits + "-_."


def token(keys: Keys = KEYS, *, life: timedelta = LIFE) -> str:
    return issue(
        keys,
        client_id=CLIENT,
        agency="KPU_KOTA_MALANG",
        role="officer",
        credential=CLIENT,
        epoch="0.0.0",
        at=NOW,
        life=life,
    )


def forged(change: Callable[[dict[str, Any]], Any]) -> str:
    """A token that our own key signed over other claims."""
    claims = json.loads(unb64(token().split(".")[1]))
    return signed(json.dumps(change(claims)))


def signed(payload: str) -> str:
    key = KEYS.ring[0]
    content = f"{key.header}.{b64(payload.encode())}"
    return f"{content}.{b64(key.private.sign(content.encode()))}"


def refused(text: str, *, at: datetime = NOW, keys: Keys = KEYS) -> bool:
    try:
        verify(keys, text, at=at)
    except TokenInvalid:
        return True
    return False


def changed(text: str, place: int, new: str) -> str:
    return text[:place] + new + text[place + 1 :]


# access tokens


def test_a_token_says_who_asks_and_until_when() -> None:
    claims = verify(KEYS, token(), at=NOW)
    assert (claims.client_id, claims.agency, claims.role) == (CLIENT, "KPU_KOTA_MALANG", "officer")
    assert claims.ends == NOW + LIFE
    assert claims.jti != verify(KEYS, token(), at=NOW).jti


def test_a_token_counts_from_its_start_to_its_end_with_half_a_minute_of_leeway() -> None:
    leeway = timedelta(seconds=30)
    assert not refused(token(), at=NOW - leeway)
    assert refused(token(), at=NOW - leeway - SECOND)
    assert not refused(token(), at=NOW + LIFE + leeway - SECOND)
    assert refused(token(), at=NOW + LIFE + leeway)


def test_a_token_that_lives_longer_than_a_quarter_of_an_hour_is_none() -> None:
    assert not refused(token(life=timedelta(minutes=15)))
    assert refused(token(life=timedelta(minutes=15, seconds=1)))
    assert refused(token(life=timedelta(0)))


def test_the_ring_turns_without_breaking_tokens_and_a_dead_key_opens_nothing() -> None:
    newer = SigningKey.load(security.new_pem())
    assert not refused(token(), keys=replace(KEYS, ring=(newer, *KEYS.ring)))
    assert refused(token(), keys=replace(KEYS, ring=(newer,)))


def test_another_issuer_s_token_is_none() -> None:
    assert refused(token(replace(KEYS, issuer="elsewhere")))


@given(place=st.integers(0, len(token()) - 1), new=st.sampled_from(TOKEN_CHARACTERS))
def test_a_token_with_one_character_changed_is_none(place: int, new: str) -> None:
    original = token()
    if place < len(original) and original[place] != new:
        assert refused(changed(original, place, new))


@given(text=st.text() | st.text(TOKEN_CHARACTERS, min_size=60, max_size=400))
def test_whatever_is_no_token_is_refused_and_nothing_else_happens(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "at+jwt"},
        {"alg": "HS256", "typ": "at+jwt", "kid": KEYS.ring[0].kid},
        {"alg": "ES256", "typ": "JWT", "kid": KEYS.ring[0].kid},
        {"alg": "ES256", "kid": KEYS.ring[0].kid, "typ": "at+jwt", "jku": "https://evil.test/"},
        {"alg": "ES256", "kid": KEYS.ring[0].kid, "typ": "at+jwt", "crit": ["exp"]},
        {"typ": "at+jwt", "alg": "ES256", "kid": KEYS.ring[0].kid},
    ],
)
def test_only_the_one_legal_header_opens_even_under_our_own_signature(header: dict[str, Any]) -> None:
    _, payload, _ = token().split(".")
    content = f"{b64(json.dumps(header, separators=(',', ':')).encode())}.{payload}"
    assert refused(f"{content}.{b64(KEYS.ring[0].private.sign(content.encode()))}")


@pytest.mark.parametrize(
    "change",
    [
        lambda claims: claims | {"admin": True},
        lambda claims: {name: said for name, said in claims.items() if name != "jti"},
        lambda claims: claims | {"aud": ["simpul"]},
        lambda claims: claims | {"aud": "other"},
        lambda claims: claims | {"iss": "other"},
        lambda claims: claims | {"sub": str(uuid4())},
        lambda claims: claims | {"exp": float(claims["exp"])},
        lambda claims: claims | {"exp": str(claims["exp"])},
        lambda claims: claims | {"iat": True},
        lambda claims: claims | {"exp": claims["iat"] - 1},
        lambda claims: claims | {"nbf": claims["nbf"] + 3600},
        lambda claims: claims | {"client_id": "x", "sub": "x"},
        lambda claims: claims | {"jti": "x"},
        lambda claims: [claims],
    ],
)
def test_claims_that_are_not_exactly_ours_are_refused_under_our_own_signature(change: Any) -> None:
    assert not refused(forged(lambda claims: claims))
    assert refused(forged(change))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 400])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    payload = json.dumps(json.loads(unb64(token().split(".")[1])))
    end = str(int((NOW + LIFE).timestamp()))
    assert refused(signed(payload.replace(end, number)))


def test_a_claim_said_twice_is_refused() -> None:
    payload = unb64(token().split(".")[1]).decode()
    assert not refused(signed(payload))
    assert refused(signed(payload[:-1] + ',"role":"operator"}'))


# base64url


@given(raw=st.binary())
def test_bytes_come_back_from_base64url(raw: bytes) -> None:
    assert unb64(b64(raw)) == raw


@given(text=st.text(max_size=40) | st.text(TOKEN_CHARACTERS + "=+/ \n", max_size=40))
def test_only_the_canonical_spelling_is_read(text: str) -> None:
    try:
        raw = unb64(text)
    except ValueError:
        return
    assert b64(raw) == text


# client secrets


@given(env=st.from_regex(r"[a-z]{1,12}", fullmatch=True))
def test_a_secret_tells_what_it_is(env: str) -> None:
    secret = new_secret(env)
    assert is_secret(secret)
    assert secret.startswith(f"smp_{env}_")
    assert secret != new_secret(env)


@given(place=st.integers(0, 60), new=st.sampled_from(string.ascii_letters + string.digits))
def test_a_secret_with_one_character_changed_is_none(place: int, new: str) -> None:
    secret = new_secret("test")
    if place < len(secret) and secret[place] != new:
        assert not is_secret(changed(secret, place, new))


@given(text=st.text())
def test_what_people_type_is_no_secret(text: str) -> None:
    assert not is_secret(text)
    assert not is_secret(new_secret("test") + "\n" + text)


def test_a_fingerprint_is_the_same_for_one_secret_and_another_under_another_pepper() -> None:
    secret = new_secret("test")
    assert security.fingerprint(KEYS, secret) == security.fingerprint(KEYS, secret)
    assert security.fingerprint(KEYS, secret) != security.fingerprint(replace(KEYS, pepper=b"q" * 32), secret)
    assert security.fingerprint(KEYS, secret) != security.fingerprint(KEYS, new_secret("test"))
    assert len(security.fingerprint(KEYS, secret)) == 32


# cursors and seals

positions = st.lists(st.text() | st.integers() | st.none(), max_size=3)


@given(binding=st.text(), position=positions)
def test_a_cursor_opens_where_it_was_sealed(binding: str, position: list[Any]) -> None:
    assert security.open_cursor(KEYS, binding, security.seal_cursor(KEYS, binding, position)) == position


@given(binding=st.text(), other=st.text(), position=positions)
def test_a_cursor_of_another_list_is_refused(binding: str, other: str, position: list[Any]) -> None:
    if binding != other:
        with pytest.raises(CursorMismatch):
            security.open_cursor(KEYS, other, security.seal_cursor(KEYS, binding, position))


@given(text=st.text(), bits=st.binary(max_size=60))
def test_a_made_up_cursor_is_refused(text: str, bits: bytes) -> None:
    for cursor in (text, b64(bits)):
        with pytest.raises(CursorMismatch):
            security.open_cursor(KEYS, "tasks", cursor)


@given(name=st.text(), content=st.binary())
def test_a_seal_opens_to_who_knows_its_name(name: str, content: bytes) -> None:
    assert unseal(KEYS, name, seal(KEYS, name, content)) == content
    assert seal(KEYS, name, content) != seal(KEYS, name, content)
    with pytest.raises(ValueError, match="seal"):
        unseal(KEYS, name + "x", seal(KEYS, name, content))


@given(content=st.binary(min_size=1), place=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_seal_that_was_touched_does_not_open(content: bytes, place: int, bit: int) -> None:
    sealed = bytearray(seal(KEYS, "name", content))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(ValueError, match="seal"):
        unseal(KEYS, "name", bytes(sealed))


@given(raw=st.binary(max_size=40))
def test_what_was_never_sealed_does_not_open(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the promise
        unseal(KEYS, "name", raw)


# keys


def test_the_pepper_is_made_once_for_the_owner_alone_and_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first, second = (Keys.open(folder, issuer="simpul") for _ in range(2))
    assert first.ring == second.ring == ()
    assert first.pepper == second.pepper
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {"pepper": 0o600}


# what is remembered of a signature check


def remembering() -> Keys:
    """Keys of our own: the others share theirs."""
    return replace(KEYS, ring=KEYS.ring)


def test_a_signature_is_checked_once_and_the_time_always(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, text = remembering(), token()
    first = verify(keys, text, at=NOW)
    monkeypatch.setattr(security, "read_claims", None)  # whoever checks again fails
    assert verify(keys, text, at=NOW + LIFE) == first
    assert refused(token(), keys=keys)
    assert refused(text, at=NOW + LIFE + timedelta(seconds=31), keys=keys)
    assert not keys.checked, "what has ended is forgotten"


def test_a_ring_that_turned_forgets_what_was_checked_under_the_old_one() -> None:
    keys, text = remembering(), token()
    verify(keys, text, at=NOW)
    keys.turn(keys.ring, epoch=0, at=1.0)
    assert keys.checked
    keys.turn((SigningKey.load(security.new_pem()),), epoch=0, at=2.0)
    assert not keys.checked
    assert refused(text, keys=keys)


def test_only_so_many_checks_are_remembered_and_the_least_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_REMEMBERED", 3)
    keys, texts = remembering(), [token() for _ in range(4)]
    for text in (*texts[:3], texts[0], texts[3]):
        verify(keys, text, at=NOW)
    kept = [claims.jti for claims in keys.checked.values()]
    assert kept == [verify(KEYS, texts[one], at=NOW).jti for one in (2, 0, 3)]


def test_what_is_refused_is_not_remembered() -> None:
    keys = remembering()
    assert refused(forged(lambda claims: claims | {"role": 1}), keys=keys)
    text = token()
    assert refused(changed(text, -3, "_" if text[-3] != "_" else "-"), keys=keys)
    assert not keys.checked


# a ring that others turned


def cause(text: str, keys: Keys) -> BaseException | None:
    with pytest.raises(TokenInvalid) as refused:
        verify(keys, text, at=NOW)
    return refused.value.__cause__


def test_a_key_that_may_be_new_is_told_from_a_header_that_is_none_of_ours() -> None:
    stranger = Keys((SigningKey.load(security.new_pem()),), b"q" * 32)
    behind = cause(token(), stranger)
    assert isinstance(behind, security.Behind)
    assert behind.patience == 1
    for header in ('{"alg":"ES256","kid":"other","typ":"at+jwt"}', '{"alg":"none","kid":"0123456789abcdef"}'):
        _, payload, signature = token().split(".")
        assert not isinstance(cause(f"{b64(header.encode())}.{payload}.{signature}", stranger), security.Behind)


def test_a_token_of_a_later_epoch_waits_for_a_newer_ring_and_one_of_an_earlier_does_not() -> None:
    keys = remembering()
    keys.turn(keys.ring, epoch=3, at=1.0)
    of_epoch = {number: forged(lambda claims, n=number: claims | {"epoch": f"{n}.0.0"}) for number in (2, 3, 4)}  # type: ignore[misc]
    assert not refused(of_epoch[2], keys=keys), "the database refuses it"
    assert not refused(of_epoch[3], keys=keys)
    behind = cause(of_epoch[4], keys)
    assert isinstance(behind, security.Behind)
    assert behind.patience == 0
    keys.turn(keys.ring, epoch=4, at=2.0)
    assert not refused(of_epoch[4], keys=keys)
    for nonsense in ("", "x.0.0", "-1", "\uff19.0.0"):
        assert refused(forged(lambda claims, said=nonsense: claims | {"epoch": said}), keys=keys)  # type: ignore[misc]


def test_what_is_printed_holds_no_secret() -> None:
    assert "pppp" not in repr(KEYS)
    assert "PRIVATE" not in repr(KEYS)


def test_keys_for_different_purposes_differ() -> None:
    assert KEYS.key_for("cursor") != KEYS.key_for("client-secret")
