"""A replica serves what may be a little old, never who may ask; when it is gone or late, nobody notices.

What it shows is told from what the primary shows by letting it stand still (`pg_wal_replay_pause`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import httpx
import pytest
from conftest import TEMPLATE, on
from fastapi import FastAPI
from fleet import FOLLOWERS, PRIMARY, Fleet, fleet
from listener import heard, sequence
from pydantic import SecretStr
from support import Agency, task

from app.db import value
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.attack

LAG = 1.5
FILES = ("text/csv", "application/x-ndjson")


@pytest.fixture(scope="module")
async def servers(server: str) -> AsyncIterator[Fleet]:
    async with fleet(on(server, TEMPLATE)) as made:
        yield made


@asynccontextmanager
async def service(settings: Settings, servers: Fleet, *, lag: float, replica: str) -> AsyncIterator[FastAPI]:
    """The service, on whichever server is the primary, with reads that may be that old."""
    url = servers.url(PRIMARY, *FOLLOWERS, role="read-write")
    app = create_app(settings.model_copy(update={"replica_url": SecretStr(replica), "replica_lag": lag}), url)
    try:
        await fit(app)
        yield app
    finally:
        await app.state.replica.close()
        await app.state.database.close()


async def fit(app: FastAPI) -> None:
    """Wait until its replica is there."""
    end = monotonic() + 20
    while not await app.state.replica.fit():
        assert monotonic() < end
        await asyncio.sleep(0.1)


@asynccontextmanager
async def standing_still(servers: Fleet, name: str) -> AsyncIterator[None]:
    """A replica that receives, and replays nothing."""
    await servers.ask(name, "select pg_wal_replay_pause()")
    await servers.until(name, "select pg_get_wal_replay_pause_state() = 'paused'")
    try:
        yield
    finally:
        await servers.ask(name, "select pg_wal_replay_resume()")
        await caught_up(servers, name)


async def caught_up(servers: Fleet, name: str) -> None:
    """Wait until a replica has all that there is now."""
    place = await servers.ask(PRIMARY, "select pg_current_wal_flush_lsn()::text")
    await servers.until(name, f"select pg_last_wal_replay_lsn() >= '{place}'")


Door = Callable[..., Awaitable[Agency]]


@asynccontextmanager
async def doors(app: FastAPI, credentials: list[dict[str, Any]]) -> AsyncIterator[Door]:
    """Sign in to this service as a client of the first run."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:

        async def sign_in(agency: str | None, role: str = "supervisor") -> Agency:
            found = next(one for one in credentials if one["agency"] == agency and one["role"] == role)
            return await Agency(http, found).sign_in()

        yield sign_in


@pytest.fixture(scope="module")
async def old(settings: Settings, servers: Fleet) -> AsyncIterator[FastAPI]:
    """A service whose replica may be a minute old."""
    async with service(settings, servers, lag=60.0, replica=servers.url("east")) as made:
        yield made


@pytest.fixture(scope="module")
async def sign_in_old(old: FastAPI, credentials: list[dict[str, Any]]) -> AsyncIterator[Door]:
    async with doors(old, credentials) as sign_in:
        yield sign_in


@pytest.fixture(scope="module")
async def young(settings: Settings, servers: Fleet) -> AsyncIterator[FastAPI]:
    """A service whose replica may be hardly older than an answer takes."""
    async with service(settings, servers, lag=LAG, replica=servers.url("east")) as made:
        yield made


@pytest.fixture(scope="module")
async def sign_in_young(young: FastAPI, credentials: list[dict[str, Any]]) -> AsyncIterator[Door]:
    async with doors(young, credentials) as sign_in:
        yield sign_in


def said(answer: httpx.Response) -> tuple[int, str]:
    """An answer without the moment at which it was given, and without the name of the request."""
    return answer.status_code, re.sub(r'"(at|request_id)":"[^"]+"', "", answer.text)


async def counted(who: Agency) -> int:
    answer = await who.get("/v1/statistics/tasks")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["total"])


async def sequenced(app: FastAPI) -> int:
    """Give every fact its place in the log; how long the log is then."""
    await sequence(app.state.database)
    async with app.state.database.working() as writer:
        return int(await value(writer, "select max(place) + 1 from log_node where level = 0"))


async def test_statistics_feed_and_files_come_from_the_replica_and_nothing_else_does(
    old: FastAPI, servers: Fleet, sign_in_old: Door
) -> None:
    kpu = await sign_in_old("KPU_KOTA_MALANG")
    before, size = await counted(kpu), await sequenced(old)
    async with standing_still(servers, "east"):
        task = await kpu.log(title="Kenari yang baru")
        assert await sequenced(old) > size
        assert await counted(kpu) == before
        assert await heard(kpu, after=size) == []
        for kind in FILES:
            assert "Kenari yang baru" not in (await kpu.get("/v1/tasks", headers={"Accept": kind})).text
        assert (await kpu.get(f"/v1/tasks/{task['id']}")).status_code == 200
        newest = (await kpu.get("/v1/tasks?limit=1&sort=-effective_at")).json()["items"]
        assert [one["id"] for one in newest] == [task["id"]]
    assert await counted(kpu) == before + 1
    assert await heard(kpu, after=size) != []


async def test_the_replica_shows_each_caller_what_the_primary_shows_it(
    old: FastAPI, credentials: list[dict[str, Any]], settings: Settings, servers: Fleet
) -> None:
    alone = create_app(settings, servers.url(PRIMARY))
    questions = (
        ("/v1/statistics/tasks?group_by=status", "application/json"),
        ("/v1/statistics/deadlines", "application/json"),
        ("/v1/events?after=0&limit=200", "application/json"),
        *(("/v1/tasks", kind) for kind in FILES),
    )
    shown = set()
    try:
        async with doors(old, credentials) as here, doors(alone, credentials) as there:
            await (await here("KPU_KOTA_MALANG")).log(title="Kenari", classification="terbatas")
            await sequenced(old)
            await caught_up(servers, "east")
            for client in credentials:
                both = [await door(client["agency"], client["role"]) for door in (here, there)]
                for path, kind in questions:
                    copied, kept = [await one.get(path, headers={"Accept": kind}) for one in both]
                    assert said(copied) == said(kept), (client, path)
                    shown.add((path, kind, said(copied)))
    finally:
        await alone.state.replica.close()
        await alone.state.database.close()
    assert len(shown) > 2 * len(questions)  # not everybody sees the same


async def test_a_revoked_client_is_refused_by_a_service_whose_replica_knows_nothing_of_it(
    servers: Fleet, sign_in_old: Door
) -> None:
    operator = await sign_in_old(None, "operator")
    said = {"agency": "KPU_KOTA_MALANG", "role": "supervisor", "purpose": "Sementara"}
    made = (await operator.post("/v1/clients", said)).json()
    client = await Agency(operator.http, {**made, "agency": said["agency"]}).sign_in()
    await caught_up(servers, "east")
    assert await counted(client) > 0
    async with standing_still(servers, "east"):
        etag = (await operator.get(f"/v1/clients/{made['client_id']}")).headers["etag"]
        revoked = await operator.post(f"/v1/clients/{made['client_id']}/revocation", {"reason": "Uji"}, etag=etag)
        assert revoked.status_code == 200, revoked.text
        known = await servers.ask("east", f"select status from client where id = '{made['client_id']}'")
        assert known == "active"
        for path in ("/v1/statistics/tasks", "/v1/statistics/deadlines", "/v1/events"):
            assert (await client.get(path)).status_code == 401
        for kind in FILES:
            assert (await client.get("/v1/tasks", headers={"Accept": kind})).status_code == 401


async def test_a_replica_that_stands_still_longer_than_the_bound_is_asked_no_more(
    young: FastAPI, servers: Fleet, sign_in_young: Door
) -> None:
    kpu = await sign_in_young("KPU_KOTA_MALANG")
    await fit(young)
    before = await counted(kpu)
    async with standing_still(servers, "east"):
        began = monotonic()
        await kpu.log()
        while await counted(kpu) == before:
            assert monotonic() - began < LAG + 1
            await asyncio.sleep(0.05)
        ready = (await kpu.get("/readyz")).json()
        assert ready["checks"]["replica"] is False
        assert ready["status"] == "degraded"
    await fit(young)


async def test_a_place_that_only_the_primary_has_reached_is_not_refused(
    old: FastAPI, servers: Fleet, sign_in_old: Door
) -> None:
    kpu = await sign_in_old("KPU_KOTA_MALANG")
    async with standing_still(servers, "east"):
        await kpu.log()
        size = await sequenced(old)
        page = await kpu.get(f"/v1/events?after={size}")
        assert page.status_code == 200, page.text
        assert page.json()["after"] == size
        beyond = await kpu.get(f"/v1/events?after={size + 1}")
        assert beyond.status_code == 400


async def test_a_dead_replica_is_missed_by_nobody(young: FastAPI, servers: Fleet, sign_in_young: Door) -> None:
    kpu = await sign_in_young("KPU_KOTA_MALANG")
    await fit(young)
    servers.kill("east")
    longest = 0.0
    for _ in range(20):
        began = monotonic()
        assert await counted(kpu) > 0
        longest = max(longest, monotonic() - began)
    assert longest < 2
    servers.stop("east")
    servers.start("east", durable=False)
    await fit(young)


async def test_after_a_promotion_the_same_address_finds_the_new_primary_and_no_acknowledged_write_is_missing(
    settings: Settings, servers: Fleet, credentials: list[dict[str, Any]]
) -> None:
    replica = servers.url(*FOLLOWERS, role="standby")
    async with service(settings, servers, lag=60.0, replica=replica) as app, doors(app, credentials) as sign_in:
        kpu = await sign_in("KPU_KOTA_MALANG")
        acknowledged = [(await kpu.log())["id"] for _ in range(5)]
        servers.kill(PRIMARY)
        refused = await kpu.post("/v1/tasks", task())
        assert refused.status_code == 503
        promoted = await servers.promote()
        again = {"Idempotency-Key": refused.request.headers["idempotency-key"]}
        made = await kpu.post("/v1/tasks", task(), headers=again)
        assert made.status_code == 201, made.text
        for one in (*acknowledged, made.json()["id"]):
            assert (await kpu.get(f"/v1/tasks/{one}")).status_code == 200
        assert await counted(kpu) > 0
        await servers.checkpoint(promoted)
        await fit(app)  # the other one follows the new primary, and serves
