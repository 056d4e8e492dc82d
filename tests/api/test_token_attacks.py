"""Every known attack on tokens: refused alike, before the database is asked, before a body is read, never a fault."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from attacks import FAMILIES, Attack
from attacks.family import bearer
from fastapi import FastAPI
from forger import Forger, N, pair
from sqlalchemy import event
from statements import heard
from support import JSON, Agency, task

from app.db import Database
from app.models.access import RevokedToken
from app.security import verify

pytestmark = pytest.mark.attack

CHALLENGES = {"token-invalid": 'Bearer error="invalid_token"', "token-missing": "Bearer"}
REFUSED = {"Authorization": "Bearer a.b.c", "Request-Id": "the-same"}
WRITES = ("insert", "update", "delete", "merge")


@pytest.fixture
def asked(database: Database) -> Iterator[list[str]]:
    """What is asked of the database meanwhile: connections and statements."""
    seen: list[str] = []
    engine = database.engine.sync_engine

    def connection(*_: Any) -> None:
        seen.append("connection")

    event.listen(engine, "checkout", connection)
    with heard(database, seen.append):
        yield seen
    event.remove(engine, "checkout", connection)


async def attempts(http: httpx.AsyncClient, attack: Attack) -> AsyncIterator[tuple[httpx.Response, bool]]:
    """The answers to reading and to writing with an attack, and whether the body written was read."""
    url = f"/v1/tasks?{attack.query}" if attack.query else "/v1/tasks"
    headers = [*attack.headers, (b"Request-Id", b"the-same")]
    yield await http.get(url, headers=headers), False
    touched = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal touched
        touched = True
        yield attack.body or json.dumps(task()).encode()

    kinds = () if any(name == b"Content-Type" for name, _ in headers) else ((b"Content-Type", JSON.encode()),)
    yield await http.post(url, headers=[*headers, *kinds, (b"Idempotency-Key", b"the-same")], content=body()), touched


async def test_there_are_families_and_cases_enough_and_none_is_the_good_token(forger: Forger) -> None:
    assert len(FAMILIES) >= 60
    cases = {(family, case): attack for family, make in FAMILIES.items() for case, attack in make(forger)}
    assert len(cases) >= 220
    assert len(cases) == sum(1 for make in FAMILIES.values() for _ in make(forger)), "each case has its own name"
    assert bearer(forger.good).headers not in {attack.headers for attack in cases.values()}


@pytest.mark.parametrize("family", FAMILIES)
async def test_an_attack_is_refused(http: httpx.AsyncClient, forger: Forger, asked: list[str], family: str) -> None:
    cases = dict(FAMILIES[family](forger))
    assert cases
    refusals = {
        "token-invalid": (await http.get("/v1/tasks", headers=REFUSED)).content,
        "token-missing": (await http.get("/v1/tasks", headers={"Request-Id": "the-same"})).content,
    }
    for case, attack in cases.items():
        asked.clear()
        async for refused, body_read in attempts(http, attack):
            assert refused.status_code == 401, case
            assert refused.headers["www-authenticate"] == CHALLENGES[attack.code], case
            assert refused.content == refusals[attack.code], case
            assert not body_read, case
        if attack.held_against == "itself":
            # a key that nobody has heard of may be new: the ring is read again, once a second at most
            rereads = len([one for one in asked if "signing_key" in one])
            assert asked.count("connection") <= rereads <= 1, case
            assert len([one for one in asked if one != "connection"]) == rereads, case
        else:
            assert len(asked) > 1, case
            assert not [sql for sql in asked if sql.lstrip().lower().startswith(WRITES)], case
    good = await http.get("/v1/me", headers=[*bearer(forger.good).headers])
    assert good.status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR   "])
async def test_the_scheme_is_read_in_any_case_and_before_any_number_of_blanks(
    http: httpx.AsyncClient, forger: Forger, scheme: str
) -> None:
    answer = await http.get("/v1/me", headers={"Authorization": scheme + forger.good})
    assert answer.status_code == 200


async def test_what_the_forger_signs_unaltered_is_good(http: httpx.AsyncClient, forger: Forger) -> None:
    """Without this, every signed attack could be refused for the forger's clumsiness."""
    start = forger.now - 629
    for token in (
        forger.claiming(),
        forger.headed(forger.head()),
        forger.claiming(iat=start, nbf=start, exp=start + 600 + 5),
        forger.claiming(iat=forger.now + 25, nbf=forger.now + 25, exp=forger.now + 625),
        forger.claiming(exp=forger.claims["iat"] + 900),
        forger.claiming(role="viewer"),
    ):
        answer = await http.get("/v1/me", headers=[*bearer(token).headers])
        assert answer.status_code == 200, token


async def test_the_mirrored_signature_is_the_same_token_and_falls_with_it(
    http: httpx.AsyncClient, app: FastAPI, kpu: Agency, database: Database
) -> None:
    """ECDSA holds (r, n - s) for as good as (r, s): hence nothing takes a token's text for its identity."""
    token = (await Agency(http, kpu.credentials).sign_in()).token
    forger = Forger(app.state.keys, token, token)
    mirrored = forger.signed_with(pair(forger.r, N - forger.s))
    assert mirrored != forger.good
    pair_of_them = [[*bearer(token).headers] for token in (forger.good, mirrored)]
    assert [(await http.get("/v1/me", headers=one)).status_code for one in pair_of_them] == [200, 200]
    async with database.writing() as writer:
        revoked = verify(app.state.keys, forger.good, at=datetime.now(UTC))
        writer.add(RevokedToken(jti=revoked.jti, client_id=revoked.client_id, expires_at=revoked.ends))
    assert [(await http.get("/v1/me", headers=one)).status_code for one in pair_of_them] == [401, 401]
