"""One intent, one effect: the same key repeats the answer and never the deed."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from snapshot import snapshot
from support import Agency, SignIn, task

from app.db import Database


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


@pytest.fixture
def key() -> str:
    return str(uuid4())


async def test_every_post_needs_a_key(kpu: Agency, database: Database) -> None:
    before = await snapshot(database)
    for given in ("", "with space", "tab\tinside", "x" * 256):
        refused = await kpu.post("/v1/tasks", task(), headers=keyed(given))
        assert (refused.status_code, refused.json()["code"]) == (400, "idempotency-key-missing"), given
    absent = await kpu.http.post("/v1/tasks", json=task(), headers=kpu.headers)
    assert (absent.status_code, absent.json()["code"]) == (400, "idempotency-key-missing")
    assert await snapshot(database) == before


async def test_a_repeated_request_gets_the_same_answer_and_happens_once(
    bakesbangpol: Agency, database: Database, key: str
) -> None:
    first = await bakesbangpol.post("/v1/tasks", task(), headers=keyed(key))
    assert "idempotent-replayed" not in first.headers
    before = await snapshot(database)
    again = await bakesbangpol.post("/v1/tasks", task(), headers=keyed(key))
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["request-id"] != first.headers["request-id"]
    assert await snapshot(database) == before


async def test_a_key_serves_one_request_only(bakesbangpol: Agency, database: Database, key: str) -> None:
    logged = await bakesbangpol.post("/v1/tasks", task(), headers=keyed(key))
    before = await snapshot(database)
    other_body = await bakesbangpol.post("/v1/tasks", task(title="Lain"), headers=keyed(key))
    other_path = await bakesbangpol.post(f"/v1/tasks/{logged.json()['id']}/comments", {"body": "-"}, headers=keyed(key))
    for refused in (other_body, other_path):
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-key-reused")
    assert await snapshot(database) == before


async def test_a_key_belongs_to_its_client(bakesbangpol: Agency, kodim: Agency, client_of: SignIn, key: str) -> None:
    first = await bakesbangpol.post("/v1/tasks", task(), headers=keyed(key))
    colleague = await client_of(bakesbangpol.code)
    for other in (colleague, kodim):
        own = await other.post("/v1/tasks", task(), headers=keyed(key))
        assert own.status_code == 201
        assert "idempotent-replayed" not in own.headers
        assert own.json()["id"] != first.json()["id"]


async def test_a_refused_request_is_not_kept(bakesbangpol: Agency, database: Database, key: str) -> None:
    before = await snapshot(database)
    for body, status in ((task(region="99.99"), 422), (task(proposed_owner="KPU_RI"), 409), (task(title=""), 422)):
        refused = await bakesbangpol.post("/v1/tasks", body, headers=keyed(key))
        assert refused.status_code == status, refused.text
    assert await snapshot(database) == before
    assert (await bakesbangpol.post("/v1/tasks", task(), headers=keyed(key))).status_code == 201


async def test_the_key_is_checked_before_the_version(bakesbangpol: Agency, key: str) -> None:
    logged = await bakesbangpol.log()
    path = f"/v1/tasks/{logged['id']}/transitions"
    etag = (await bakesbangpol.get(f"/v1/tasks/{logged['id']}")).headers["etag"]
    said = {"action": "cancel", "reason": "Salah catat"}
    moved = await bakesbangpol.post(path, said, etag=etag, headers=keyed(key))
    assert (moved.status_code, moved.json()["status"]) == (200, "cancelled")
    again = await bakesbangpol.post(path, said, etag=etag, headers=keyed(key))
    assert (again.status_code, again.content) == (200, moved.content)
    without = await bakesbangpol.post(path, said, headers=keyed(key))
    assert (without.status_code, without.headers["idempotent-replayed"]) == (200, "true")
    fresh = await bakesbangpol.post(path, said, etag=etag)
    assert (fresh.status_code, fresh.json()["code"]) == (412, "stale-version")


async def test_a_replay_is_for_those_who_may_still_ask(client_of: SignIn, key: str) -> None:
    officer = await client_of("BAKESBANGPOL_KOTA_MALANG", "officer")
    assert (await officer.post("/v1/tasks", task(), headers=keyed(key))).status_code == 201
    await officer.sign_in(scope="viewer")
    refused = await officer.post("/v1/tasks", task(), headers=keyed(key))
    assert (refused.status_code, refused.json()["permission"]) == (403, "task.log")


async def test_of_many_that_come_at_once_one_happens(bakesbangpol: Agency, database: Database, key: str) -> None:
    before = (await snapshot(database))["task"]
    answers = await asyncio.gather(*(bakesbangpol.post("/v1/tasks", task(), headers=keyed(key)) for _ in range(6)))
    made = [one for one in answers if one.status_code == 201]
    busy = [one for one in answers if one.status_code == 409]
    assert len(made) + len(busy) == 6
    assert len({one.json()["id"] for one in made}) == 1
    for refused in busy:
        assert refused.json()["code"] == "idempotency-in-progress"
        assert int(refused.headers["retry-after"]) > 0
    after = (await snapshot(database))["task"]
    assert after[0] - before[0] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/vulnerabilities", {"category": "logistics", "description": "Gudang", "region": "35.73"}),
        ("/v1/meetings", {"title": "Rakor", "held_on": "2024-08-23", "region": "35.73"}),
    ],
)
async def test_the_register_keeps_the_same_promise(
    kpu: Agency, database: Database, key: str, path: str, body: dict[str, Any]
) -> None:
    first = await kpu.post(path, body, headers=keyed(key))
    before = await snapshot(database)
    again = await kpu.post(path, body, headers=keyed(key))
    assert (again.status_code, again.content) == (201, first.content)
    assert await snapshot(database) == before


async def test_a_minimal_answer_is_replayed_as_minimal(bakesbangpol: Agency, key: str) -> None:
    headers = {**keyed(key), "Prefer": "return=minimal"}
    answers = [await bakesbangpol.post("/v1/tasks", task(), headers=headers) for _ in range(2)]
    assert [one.content for one in answers] == [b"", b""]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert answers[1].headers["preference-applied"] == "return=minimal"
