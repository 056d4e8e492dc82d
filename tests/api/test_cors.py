"""CORS: pages of an agency's own origins read what its clients may, by exact origin, without cookies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from support import Agency, SignIn

from app.cors import EXPOSED
from app.db import Database, rows
from app.main import create_app
from app.settings import Settings

OURS, THEIRS = "https://konsol.kpu.example", "https://konsol.bawaslu.example:8443"
ASKS = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,if-match"}
STRANGE = (
    "https://evil.example",
    "null",
    "*",
    "",
    OURS.replace("https", "http"),
    OURS + ":443",
    OURS + ".evil.example",
    OURS + "/",
    OURS.upper(),
    "https://x" + OURS.removeprefix("https://"),
    "https://konsol.kpu.exampl",
    OURS + "," + THEIRS,
    OURS + " ",
)


async def register(database: Database, agency: Agency, *origins: str) -> None:
    async with database.writing() as writer:
        await writer.execute(
            text("update client set origins = :origins where id = cast(:id as uuid)"),
            {"origins": list(origins), "id": agency.credentials["client_id"]},
        )


@pytest.fixture(scope="module")
async def pages(client_of: SignIn, database: Database) -> tuple[Agency, Agency]:
    kpu, bawaslu = await client_of("KPU_KOTA_MALANG"), await client_of("BAWASLU_KOTA_MALANG")
    # What should never be in the table helps nobody.
    await register(database, kpu, OURS, "null", "*", "https://*.example")
    await register(database, bawaslu, THEIRS)
    return kpu, bawaslu


@pytest.fixture
async def fresh(settings: Settings, url: str, pages: tuple[Agency, Agency]) -> AsyncIterator[httpx.AsyncClient]:
    """The service when it has not read the origins yet."""
    assert pages
    app: FastAPI = create_app(settings, url)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul") as client:
        yield client
    await app.state.database.close()


def allowed(answer: httpx.Response) -> str | None:
    assert "Origin" in answer.headers["vary"].split(", ")
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    given: str | None = answer.headers.get("access-control-allow-origin")
    assert (given is None) == ("access-control-expose-headers" not in answer.headers)
    return given


async def asked(http: httpx.AsyncClient, path: str, origin: str, agency: Agency | None = None) -> httpx.Response:
    return await http.get(path, headers={"Origin": origin, **(agency.headers if agency else {})})


async def test_a_page_of_the_callers_agency_reads_the_answer(
    fresh: httpx.AsyncClient, pages: tuple[Agency, Agency]
) -> None:
    kpu, bawaslu = pages
    for path in ("/v1/me", "/v1/tasks", "/v1/tasks/00000000-0000-7000-8000-000000000000", "/v1/tasks?nein=1"):
        for agency, own, other in ((kpu, OURS, THEIRS), (bawaslu, THEIRS, OURS)):
            answer = await asked(fresh, path, own, agency)
            assert allowed(answer) == own, path
            assert set(answer.headers["access-control-expose-headers"].split(", ")) == set(EXPOSED)
            assert allowed(await asked(fresh, path, other, agency)) is None, path


async def test_other_clients_of_the_agency_are_asked_from_the_same_pages(
    fresh: httpx.AsyncClient, kpu: Agency, operator: Agency
) -> None:
    assert allowed(await asked(fresh, "/v1/me", OURS, kpu)) == OURS
    assert allowed(await asked(fresh, "/v1/me", OURS, operator)) is None


@pytest.mark.parametrize("origin", STRANGE)
async def test_no_other_origin_is_ever_allowed(
    fresh: httpx.AsyncClient, pages: tuple[Agency, Agency], origin: str
) -> None:
    for path in ("/v1/me", "/openapi.json", "/problems", "/livez"):
        assert allowed(await asked(fresh, path, origin, pages[0])) is None
    preflight = await fresh.options("/v1/tasks", headers={"Origin": origin, **ASKS})
    assert (preflight.status_code, allowed(preflight)) == (405, None)
    assert "access-control-allow-methods" not in preflight.headers


async def test_a_browser_of_a_registered_origin_may_ask_first(fresh: httpx.AsyncClient) -> None:
    for path in ("/v1/tasks", "/v1/tasks/x", "/oauth2/token"):
        answer = await fresh.options(path, headers={"Origin": OURS, **ASKS})
        assert (answer.status_code, answer.content, allowed(answer)) == (204, b"", OURS)
        assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE"
        assert {"Authorization", "If-Match", "Idempotency-Key", "Acting-User"} <= set(
            answer.headers["access-control-allow-headers"].split(", ")
        )
        assert answer.headers["access-control-max-age"] == "600"
        assert answer.headers["request-id"]
    plain = await fresh.options("/v1/tasks", headers={"Origin": OURS})
    assert plain.status_code == 405


async def test_what_tells_of_no_agency_is_read_by_pages_of_any(fresh: httpx.AsyncClient) -> None:
    for path in ("/openapi.json", "/problems", "/v1/me"):
        assert allowed(await asked(fresh, path, OURS)) == OURS
    token = await fresh.post("/oauth2/token", data={}, headers={"Origin": THEIRS})
    assert (token.status_code, allowed(token)) == (401, THEIRS)
    long = await asked(fresh, "/v1/tasks?q=" + "a" * 9000, OURS)
    assert long.status_code == 414


async def test_an_answer_without_an_origin_varies_all_the_same(fresh: httpx.AsyncClient) -> None:
    for path in ("/livez", "/v1/me"):
        assert allowed(await fresh.get(path)) is None


async def test_origins_of_revoked_clients_and_suspended_agencies_go(
    settings: Settings, url: str, client_of: SignIn, database: Database
) -> None:
    gone, origin = await client_of("DKPP"), "https://dkpp.example"
    await register(database, gone, origin)
    for statement in (
        "update client set status = 'revoked' where id = cast(:id as uuid)",
        "update agency set suspended = true where code = 'DKPP' and cast(:id as uuid) is not null",
    ):
        for expected in (origin, None):
            answer = await once(settings, url, origin)
            assert allowed(answer) == expected, statement
            if expected:
                await execute(database, statement, gone)
        await execute(database, "update client set status = 'active' where id = cast(:id as uuid)", gone)
        await execute(database, "update agency set suspended = false where :id <> '' and code = 'DKPP'", gone)


async def once(settings: Settings, url: str, origin: str) -> httpx.Response:
    app = create_app(settings, url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as client:
        answer = await asked(client, "/problems", origin)
    await app.state.database.close()
    return answer


async def execute(database: Database, statement: str, agency: Agency) -> None:
    async with database.writing() as writer:
        await writer.execute(text(statement), {"id": agency.credentials["client_id"]})


async def test_the_origins_are_read_once_in_a_while(
    fresh: httpx.AsyncClient, monkeypatch: Any, database: Database
) -> None:
    read: list[int] = []

    async def counted(_: Any) -> dict[str, frozenset[str]]:
        read.append(1)
        return {}

    monkeypatch.setattr("app.cors.registered", counted)
    assert database
    for _ in range(20):
        await asked(fresh, "/livez", OURS)
    assert len(read) == 1


async def test_while_the_database_is_away_pages_are_not_let_in_and_answers_still_come(settings: Settings) -> None:
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"
    answer = await once(settings, nowhere, OURS)
    assert (answer.status_code, allowed(answer)) == (200, None)


async def test_no_agency_crowds_out_the_origins_of_another(database: Database) -> None:
    name = "update client set origins = array(select 'https://' || n || '.' || :at from generate_series(1, :many) n)"
    first = " where id = (select id from client where agency = :agency order by id limit 1) returning id"
    async with database.working() as writer:
        for agency, at, many in (("KODIM_0833_KOTA_MALANG", "a.test", 300), ("KPU_KOTA_MALANG", "z.test", 1)):
            assert await rows(writer, name + first, agency=agency, at=at, many=many)
        found = await rows(writer, "select origin from app.registered_origins() where origin like '%.test'")
        await writer.rollback()
    origins = [one["origin"] for one in found]
    assert "https://1.z.test" in origins
    assert len([one for one in origins if one.endswith(".a.test")]) <= 200
