"""Quotas: who floods waits, and nobody else notices."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from support import Agency, SignIn

from app import quota
from app.errors import QuotaExceeded
from app.main import create_app
from app.quota import Quota
from app.rules.caller import Caller
from app.rules.vocabulary import Role
from app.settings import Settings

LIMITED = {"client_rate": "20/second", "agency_rate": "30/second", "failure_rate": "15/second"}
Door = Callable[..., Awaitable[Agency]]


@asynccontextmanager
async def service(app: FastAPI, address: str = "203.0.113.7") -> AsyncIterator[httpx.AsyncClient]:
    """The service as one address sees it."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul") as client:
        yield client


@pytest.fixture
async def limited(url: str, settings: Settings) -> AsyncIterator[FastAPI]:
    rates = {**LIMITED, "grant_failure_rate": "5/minute"}
    app = create_app(settings.model_copy(update=rates), url)
    yield app
    await app.state.database.close()


def through(http: httpx.AsyncClient, agency: Agency) -> Agency:
    return Agency(http, agency.credentials, agency.headers)


def statuses(answers: list[httpx.Response]) -> set[int]:
    return {one.status_code for one in answers}


async def test_every_guarded_answer_says_what_is_left(kpu: Agency, limited: FastAPI) -> None:
    async with service(limited) as http:
        asked = through(http, kpu)
        answers = [await asked.get("/v1/me"), await asked.get("/v1/tasks/x"), await asked.get("/v1/tasks?no=1")]
        answers.append(await asked.post("/v1/tasks", {}))
        for number, answer in enumerate(answers, start=1):
            assert answer.headers["ratelimit-policy"] == '"client";q=20;w=1, "agency";q=30;w=1'
            left = re.fullmatch(r'"client";r=(\d+);t=\d+, "agency";r=(\d+);t=\d+', answer.headers["ratelimit"])
            assert left is not None
            assert int(left[1]) >= 20 - number


async def test_a_request_is_counted_once_however_often_its_caller_is_looked_at(kpu: Agency, limited: FastAPI) -> None:
    request = Request({"type": "http", "client": ("203.0.113.1", 1), "headers": [], "state": {}})
    caller = Caller(UUID(str(kpu.credentials["client_id"])), kpu.code, Role.SUPERVISOR)
    for _ in range(50):
        await limited.state.quota.spend(request, caller)
    assert b'"client";r=19;' in request.state.quota_headers[1][1]


async def test_an_operator_has_no_agency_to_count_for(operator: Agency, limited: FastAPI) -> None:
    async with service(limited) as http:
        answer = await through(http, operator).get("/v1/me")
    assert answer.headers["ratelimit-policy"] == '"client";q=20;w=1'


async def test_who_floods_at_ten_times_the_limit_waits_and_the_others_do_not(
    kpu: Agency, bawaslu: Agency, polresta: Agency, limited: FastAPI
) -> None:
    async with service(limited) as http:
        flooder, *others = (through(http, one) for one in (kpu, bawaslu, polresta))
        began = time.monotonic()
        flood: list[httpx.Response] = []
        earned: list[httpx.Response] = []
        while time.monotonic() < began + 2 or len(flood) < 200:
            flood += await asyncio.gather(*(flooder.get("/v1/me") for _ in range(100)))
            earned += await asyncio.gather(*(one.get("/v1/me") for one in others))
        lasted = time.monotonic() - began
        assert {200, 429} <= statuses(flood) <= {200, 429, 503}  # who floods may find all connections taken by itself
        assert statuses(earned) == {200}
        refused = [one for one in flood if one.status_code == 429]
        for one in refused:
            assert one.json()["code"] == "quota-exceeded"
            assert re.match(r'"client";r=[0-4];', one.headers["ratelimit"])  # a moment later there may be more
            assert 1 <= int(one.headers["retry-after"]) <= 2
        assert len(flood) - len(refused) <= 20 * (lasted + 2)
        await asyncio.sleep(int(refused[-1].headers["retry-after"]))
        assert (await flooder.get("/v1/me")).status_code == 200


async def test_the_clients_of_an_agency_share_its_limit(client_of: SignIn, kpu: Agency, limited: FastAPI) -> None:
    second = await client_of("KPU_KOTA_MALANG")
    async with service(limited) as http:
        asked = [through(http, one) for one in (kpu, second) for _ in range(18)]
        answers = await asyncio.gather(*(one.get("/v1/me") for one in asked))
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert all(re.search(r'"agency";r=[0-4];', one.headers["ratelimit"]) for one in refused)


async def test_a_refused_write_was_not_read_and_leaves_nothing(kpu: Agency, limited: FastAPI) -> None:
    async with service(limited) as http:
        asked = through(http, kpu)
        answers = await asyncio.gather(*(asked.post("/v1/tasks", {"nonsense": 1}) for _ in range(60)))
        assert statuses(list(answers)) == {422, 429}


async def test_bogus_tokens_are_bounded_and_good_ones_of_the_same_address_are_not(
    kpu: Agency, limited: FastAPI
) -> None:
    async with service(limited) as http:
        bogus = {"Authorization": "Bearer bogus"}
        answers = [await http.get("/v1/me", headers=bogus if number % 2 else {}) for number in range(60)]
        assert statuses(answers) == {401, 429}
        assert answers[0].headers["ratelimit-policy"] == '"failures";q=15;w=1'
        assert (await through(http, kpu).get("/v1/me")).status_code == 200
        refused = next(one for one in answers if one.status_code == 429)
        assert refused.headers["retry-after"]
        granted = await http.post("/oauth2/token", data=grant_of(kpu))
        assert granted.status_code == 200
    async with service(limited, "203.0.113.8") as elsewhere:
        assert (await elsewhere.get("/v1/me")).status_code == 401


async def test_failed_grants_are_bounded_and_shut_nobody_out(kpu: Agency, bawaslu: Agency, limited: FastAPI) -> None:
    wrong = {**grant_of(kpu), "client_secret": "smp_wrong"}
    async with service(limited) as http:
        answers = [await http.post("/oauth2/token", data=wrong) for _ in range(8)]
        assert [one.status_code for one in answers] == [401] * 5 + [429] * 3
        assert int(answers[-1].headers["retry-after"]) >= 1
        for good in (kpu, bawaslu):
            assert (await http.post("/oauth2/token", data=grant_of(good))).status_code == 200


async def test_good_grants_count_like_any_request_of_the_client(kpu: Agency, bawaslu: Agency, limited: FastAPI) -> None:
    async with service(limited) as http:
        answers = [await http.post("/oauth2/token", data=grant_of(kpu)) for _ in range(60)]
        assert statuses(answers) == {200, 429}
        assert (await http.post("/oauth2/token", data=grant_of(bawaslu))).status_code == 200


async def test_the_addresses_of_one_subscriber_count_as_one(limited: FastAPI) -> None:
    for number in range(40):
        async with service(limited, f"2001:db8:1:2::{number:x}") as http:
            answer = await http.get("/v1/me")
    assert answer.status_code == 429
    async with service(limited, "2001:db8:1:3::1") as http:
        assert (await http.get("/v1/me")).status_code == 401


async def test_strangers_take_no_more_memory_than_is_theirs(settings: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr(quota, "STRANGERS", 50)
    counted = Quota(settings)
    for number in range(300):
        with suppress(QuotaExceeded):
            await counted.blame_grant(asked_from(f"203.0.113.{number % 200}"), str(uuid4()))
    assert len(counted._wrong.expirations) < 60


def asked_from(address: str) -> Request:
    return Request({"type": "http", "client": (address, 1), "headers": [], "state": {}})


def grant_of(agency: Agency) -> dict[str, str]:
    kept = {name: str(agency.credentials[name]) for name in ("client_id", "client_secret")}
    return {"grant_type": "client_credentials", **kept}


@pytest.mark.parametrize("rate", ["", "0/minute", "10", "10/fortnight", "1/minute;1/day", "-1/second", "1e3/minute"])
def test_a_rate_is_a_number_and_a_time(rate: str) -> None:
    with pytest.raises(ValueError, match="client_rate"):
        Settings(client_rate=rate)
