"""Refused requests are facts; failed authentications are counts of a minute."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from support import Agency, SignIn, task

from app import refusals
from app.db import Database, Row, rows, value
from app.main import create_app
from app.settings import Settings

Door = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def door(url: str, settings: Settings) -> AsyncIterator[FastAPI]:
    """A process of its own, whose counts nobody else adds to."""
    app = create_app(settings.model_copy(update={"client_rate": "20/minute"}), url)
    yield app
    await app.state.database.close()


def seen_from(app: FastAPI, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://simpul")


async def refused_in(database: Database, *requests: str) -> list[Row]:
    async with database.working() as worker:
        return await rows(
            worker,
            "select e.*, q.event_id is not null as queued from event e left join unsequenced q on q.event_id = e.id"
            " where request_id = any(:requests) order by e.id",
            requests=list(requests),
        )


async def failures(database: Database, address: str) -> list[Row]:
    async with database.working() as worker:
        return await rows(
            worker,
            "select * from event where kind = 'authentication.failed' and payload ->> 'address' = :address"
            " order by payload ->> 'code', payload ->> 'client' nulls first",
            address=address,
        )


async def test_a_read_beyond_the_role_is_a_fact_of_its_own(kpu: Agency, database: Database) -> None:
    client = kpu.credentials["client_id"]
    answer = await kpu.get(f"/v1/clients/{client}?ssn=kanari", headers={"Acting-User": "staf-7"})
    assert answer.status_code == 403
    (fact,) = await refused_in(database, answer.headers["request-id"])
    assert (fact["kind"], fact["object_type"], fact["object_id"]) == ("request.refused", "request", fact["request_id"])
    assert (fact["agency"], str(fact["client_id"]), fact["concerns"]) == (kpu.code, client, None)
    assert fact["payload"] == {
        "operation": "showClient",
        "method": "GET",
        "code": "permission-denied",
        "permission": "client.read",
        "object": client,
    }
    assert fact["person"] is not None
    assert fact["words"] == {}
    assert fact["queued"]


async def test_what_standing_and_class_refuse_is_a_fact_and_what_else_is_refused_is_none(
    bakesbangpol: Agency, bawaslu: Agency, kodim: Agency, database: Database
) -> None:
    logged = await bakesbangpol.log(shares=[{"agency": "KODIM_0833_KOTA_MALANG", "level": "summary"}])
    path = f"/v1/tasks/{logged['id']}"
    etag = (await bakesbangpol.get(path)).headers["etag"]
    body = {"answer": "accepted", "reason": "kanari"}
    stranger = await bakesbangpol.post(f"/v1/referrals/{logged['open_referral']['id']}/response", body, etag=etag)
    reader = await kodim.get(f"{path}/history")
    others = [
        await bawaslu.post(f"/v1/tasks/{uuid4()}/comments", {"body": "x"}),
        await bakesbangpol.post("/v1/tasks", {**task(), "surprise": 1}),
        await bakesbangpol.get("/v1/tasks?surprise=1"),
        await bakesbangpol.post(f"{path}/transitions", {"action": "cancel", "reason": "x"}, etag='"99"'),
    ]
    assert [one.status_code for one in (stranger, reader, *others)] == [403, 403, 404, 422, 400, 412]
    found = await refused_in(database, *(one.headers["request-id"] for one in (stranger, reader, *others)))
    assert [(one["payload"]["operation"], one["payload"]["code"], one["payload"]["object"]) for one in found] == [
        ("answerReferral", "not-your-referral", logged["open_referral"]["id"]),
        ("showTaskHistory", "classification-denied", logged["id"]),
    ]
    assert "kanari" not in str(found)


async def test_what_can_not_be_recorded_is_answered_503_and_leaves_nothing(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> None:
    app = create_app(settings, await clone())
    try:
        async with seen_from(app, "192.0.2.1") as http:
            kpu = await Agency(http, credentials[0]).sign_in()
            async with app.state.database.engine.begin() as owner:
                await owner.execute(text("revoke insert on event from simpul_api"))
            unrecorded = await kpu.get("/v1/clients")
            assert (unrecorded.status_code, unrecorded.json()["code"]) == (503, "temporarily-unavailable")
            assert unrecorded.headers["retry-after"]
            async with app.state.database.engine.begin() as owner:
                await owner.execute(text("grant insert on event to simpul_api"))
            recorded = await kpu.get("/v1/clients")
            assert recorded.status_code == 403
        asked = [one.headers["request-id"] for one in (unrecorded, recorded)]
        found = await refused_in(app.state.database, *asked)
        assert [one["request_id"] for one in found] == asked[1:]
    finally:
        await app.state.database.close()


async def test_a_flood_of_refusals_is_bounded_by_the_quota(client_of: SignIn, door: FastAPI) -> None:
    client = await client_of("KPU_KOTA_MALANG", "viewer")
    async with seen_from(door, "192.0.2.2") as http:
        flooder = Agency(http, client.credentials, client.headers)
        answers = await asyncio.gather(*(flooder.post("/v1/clients", {"nonsense": 1}) for _ in range(60)))
    told = [one for one in answers if one.status_code == 403]
    assert {403, 429} <= {one.status_code for one in answers} <= {403, 429, 503}  # who floods may find no connection
    assert len(told) <= 20
    found = await refused_in(door.state.database, *(one.headers["request-id"] for one in answers))
    assert {one["request_id"] for one in found} == {one.headers["request-id"] for one in told}
    assert len(found) == len(told)


async def test_failed_authentications_are_entered_by_client_address_and_minute(
    client_of: SignIn, operator: Agency, door: FastAPI
) -> None:
    address, database = "192.0.2.3", door.state.database
    revoked = await client_of("KPU_KOTA_MALANG")
    elsewhere = await client_of("KPU_KOTA_MALANG", networks=[], purpose="Kantor")
    path = f"/v1/clients/{revoked.credentials['client_id']}/token-revocation"
    assert (await operator.post(path, {"reason": "Uji"})).is_success
    place = f"/v1/clients/{elsewhere.credentials['client_id']}"
    assert (await operator.patch(place, {"networks": ["10.0.0.0/8"]}, etag='"1"')).is_success
    grant = {"grant_type": "client_credentials", "client_secret": "smp_wrong"}
    async with seen_from(door, address) as stranger:
        for _ in range(3):
            assert (await stranger.get("/v1/me")).status_code == 401
            assert (await stranger.post("/v1/tasks", headers=revoked.headers)).status_code == 401
        assert (await stranger.get("/v1/me", headers=elsewhere.headers)).json()["code"] == "address-not-allowed"
        for client in (revoked.credentials["client_id"], str(uuid4()), str(uuid4()), "nobody", ""):
            assert (await stranger.post("/oauth2/token", data={**grant, "client_id": client})).status_code == 401
    assert await failures(database, address) == []
    await door.state.refusals.enter()
    found = await failures(database, address)
    known = revoked.credentials["client_id"]
    assert [(one["payload"]["code"], one["payload"]["client"], one["payload"]["count"]) for one in found] == [
        ("address-not-allowed", elsewhere.credentials["client_id"], 1),
        ("invalid-client", None, 4),
        ("invalid-client", known, 1),
        ("token-invalid", known, 3),
        ("token-missing", None, 3),
    ]
    for one in found:
        client = one["payload"]["client"]
        assert (one["object_type"], one["object_id"]) == (("client", client) if client else ("address", address))
        assert one["concerns"] == ("KPU_KOTA_MALANG" if client else None)
        assert (one["agency"], one["client_id"], one["request_id"]) == (None, None, "door")
        assert one["payload"]["minute"] == one["effective_at"].isoformat()
    await door.state.refusals.enter()
    assert len(await failures(database, address)) == len(found)


async def test_a_suspended_agency_is_counted_and_not_recorded(
    client_of: SignIn, operator: Agency, door: FastAPI
) -> None:
    address, code = "192.0.2.4", "KPU_KAB_MALANG"
    client = await client_of(code)
    for move in ("suspension", "reinstatement"):
        if move == "reinstatement":
            async with seen_from(door, address) as http:
                answers = [await http.get("/v1/me", headers=client.headers) for _ in range(30)]
        etag = (await operator.get(f"/v1/agencies/{code}")).headers["etag"]
        assert (await operator.post(f"/v1/agencies/{code}/{move}", {"reason": "Uji"}, etag=etag)).is_success
    assert {one.json()["code"] for one in answers} == {"agency-suspended"}
    assert await refused_in(door.state.database, *(one.headers["request-id"] for one in answers)) == []
    await door.state.refusals.enter()
    (fact,) = await failures(door.state.database, address)
    assert (fact["payload"]["count"], fact["concerns"]) == (30, code)


async def test_strangers_without_number_make_no_more_facts_than_are_theirs(
    door: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "APART", 5)
    grant = {"grant_type": "client_credentials", "client_secret": "smp_wrong"}
    for number in range(40):
        async with seen_from(door, f"198.51.100.{number}") as stranger:
            await stranger.get("/v1/me")
            await stranger.post("/oauth2/token", data={**grant, "client_id": str(uuid4())})
    async with door.state.database.working() as worker:
        before = await value(worker, "select count(*) from event")
    await door.state.refusals.enter()
    async with door.state.database.working() as worker:
        told = await rows(worker, "select payload from event where kind = 'authentication.failed' order by id")
        assert 5 <= await value(worker, "select count(*) from event") - before <= 5 + 2 * 2  # a minute may turn
    crowd = [one["payload"] for one in told if one["payload"]["address"] is None]
    assert {one["code"] for one in crowd} == {"token-missing", "invalid-client"}
    assert sum(one["count"] for one in crowd) >= 80 - 2 * 5


async def test_counts_are_entered_when_their_minute_is_over_and_when_the_process_stops(
    door: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = door.state.database
    async with seen_from(door, "192.0.2.5") as stranger:
        async with door.router.lifespan_context(door):
            assert (await stranger.get("/v1/me")).status_code == 401
            assert await failures(database, "192.0.2.5") == []
        assert len(await failures(database, "192.0.2.5")) == 1
        monkeypatch.setattr(refusals, "MINUTE", 0.2)
        async with door.router.lifespan_context(door):
            assert (await stranger.get("/v1/me")).status_code == 401
            for _ in range(100):
                if len(await failures(database, "192.0.2.5")) == 2:
                    break
                await asyncio.sleep(0.1)
            assert len(await failures(database, "192.0.2.5")) == 2


async def test_what_can_not_be_entered_now_is_entered_later(door: FastAPI, settings: Settings) -> None:
    nowhere = Database("postgresql+asyncpg://127.0.0.1:1/none", settings)
    kept, door.state.refusals._database = door.state.refusals._database, nowhere
    async with seen_from(door, "192.0.2.77") as stranger:
        assert (await stranger.get("/v1/me")).status_code == 401
    await door.state.refusals.enter()
    assert await failures(kept, "192.0.2.77") == []
    door.state.refusals._database = kept
    await door.state.refusals.enter()
    (fact,) = await failures(kept, "192.0.2.77")
    assert fact["payload"]["count"] == 1
