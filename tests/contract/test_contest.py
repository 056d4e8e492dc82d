"""The benchmarks compare like with like: the server by hand answers as ours does and leaves the same rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from benchmarks.contest import cases, ground, hand
from benchmarks.contest.ground import CITY, OWNER
from sqlalchemy import text
from support import Agency

from app.db import Database
from app.main import create_app
from app.settings import Settings
from app.simulate_cli import populate

LOGGER = "BAKESBANGPOL_KOTA_MALANG"
ALIKE = ("id", "reference", "effective_at", "recorded_at", "updated_at", "version", "available_transitions")


class Both(NamedTuple):
    """Ours and the one by hand, over the same database."""

    ours: dict[str, Agency]
    hand: httpx.AsyncClient
    database: Database


@pytest.fixture(scope="module")
async def both(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[Both]:
    url = await clone()
    await _simulated(url, settings)
    await ground.put_to_work(url, mark="WRK", count=2)
    clients = {one["agency"]: one for one in credentials if one["role"] == "supervisor"}
    app, other = create_app(settings, url), hand.app(
        url, {name: clients[name]["client_id"] for name in (CITY, OWNER)}, str(settings.var)
    )  # fmt: skip
    async with (
        other.router.lifespan_context(other),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http,
        httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://hand") as by_hand,
    ):
        ours = {name: await Agency(http, clients[name]).sign_in() for name in (CITY, OWNER, LOGGER)}
        yield Both(ours, by_hand, app.state.database)
    await app.state.database.close()


async def _simulated(url: str, settings: Settings) -> None:
    database = Database(url, settings)
    await populate(database, tasks=3_000, seed=ground.SEED, more=True, processes=1)
    await database.close()


async def answers(both: Both, path: str, form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = [await both.ours[CITY].get(path), await both.hand.get(cases.of_hand(form, CITY, _named(path)))]
    assert {one.status_code for one in found} == {200}
    ours, by_hand = (cases.comparable(one.json()) for one in found)
    return ours, by_hand


def _named(path: str) -> str:
    return {cases.SEARCH: f"/search?q={cases.WORD}", cases.STATISTICS: "/statistics"}.get(path, path)


@pytest.mark.parametrize("form", ["rows", "json"])
@pytest.mark.parametrize("path", [cases.NEWEST, cases.OF_KIND, cases.FILTERED, cases.SEARCH])
async def test_lists_by_hand_are_ours(both: Both, path: str, form: str) -> None:
    ours, by_hand = await answers(both, path, form)
    assert len(ours["items"]) > 1
    assert by_hand == ours


@pytest.mark.parametrize("form", ["rows", "json"])
async def test_every_kind_of_task_by_hand_is_ours(both: Both, form: str) -> None:
    listed = (await both.ours[CITY].get("/v1/tasks?limit=200")).json()["items"]
    kinds = {(one["access"], one["status"], one.get("logged_by") == CITY): one["id"] for one in listed}
    assert {access for access, _, _ in kinds} == {"full", "summary"}
    for task in kinds.values():
        ours, by_hand = await answers(both, f"/v1/tasks/{task}", form)
        assert by_hand == ours


@pytest.mark.parametrize("form", ["rows", "json"])
async def test_a_case_about_the_callers_own_people_is_hidden_by_hand_too(both: Both, form: str) -> None:
    case = {"category": "organizer_integrity", "function": "handling", "variant": "subject_kpu"}
    about_nobody = await both.ours[LOGGER].log(**case, classification="terbatas")
    about_kpu = await both.ours[LOGGER].log(**case, subject_kind="kpu_member", classification="terbatas")
    ours, by_hand = await answers(both, cases.NEWEST, form)
    assert by_hand == ours
    seen = {one["id"] for one in by_hand["items"]}
    assert (about_nobody["id"] in seen, about_kpu["id"] in seen) == (True, False)


async def test_statistics_by_hand_are_ours(both: Both) -> None:
    ours, by_hand = await answers(both, cases.STATISTICS, "rows")
    assert ours["total"] > 10
    assert by_hand == ours


async def _left(both: Both, write: Callable[[], Awaitable[httpx.Response]]) -> tuple[dict[str, Any], Counter[str]]:
    """What a write answers, and how many rows it leaves in each table."""
    before = await _counted(both)
    answer = await write()
    assert answer.status_code in {200, 201}, answer.text
    content = {name: one for name, one in answer.json().items() if name not in ALIKE}
    if content["open_referral"]:
        content["open_referral"] = {**content["open_referral"], "id": None, "effective_at": None}
    moves = [(one["action"], one["requires"]) for one in answer.json()["available_transitions"]]
    return {**content, "moves": moves}, await _counted(both) - before


async def _counted(both: Both) -> Counter[str]:
    tables = ("task", "referral", "assignment", "sealing_key", "event", "unsequenced", "idempotency_record")
    async with both.database.working() as worker:
        asked = " union all ".join(f"select '{one}', count(*) from {one}" for one in tables)
        return Counter(dict((await worker.execute(text(asked))).all()))


def _by_hand(both: Both, agency: str, path: str, body: Any, **more: str) -> Callable[[], Awaitable[httpx.Response]]:
    headers = {"Idempotency-Key": str(uuid4()), **more}
    return lambda: both.hand.post(cases.of_hand("rows", agency, path), content=json.dumps(body), headers=headers)


async def test_a_task_logged_by_hand_leaves_the_rows_of_ours(both: Both) -> None:
    kpu = both.ours[CITY]
    ours = await _left(both, lambda: kpu.post("/v1/tasks", cases.TASK))
    by_hand = await _left(both, _by_hand(both, CITY, "/v1/tasks", cases.TASK))
    assert ours[1] == {
        "task": 1, "referral": 1, "assignment": 3, "sealing_key": 1, "event": 2, "unsequenced": 2,
        "idempotency_record": 1,
    }  # fmt: skip
    assert by_hand == ours


async def test_a_task_logged_by_hand_is_read_by_ours_as_it_was_answered(both: Both) -> None:
    logged = (await _by_hand(both, CITY, "/v1/tasks", cases.TASK)()).json()
    assert await both.ours[CITY].read(logged["id"]) == logged
    history = (await both.ours[CITY].get(f"/v1/tasks/{logged['id']}/history")).json()["items"]
    assert history[0]["facts"]["title"] == cases.TASK["title"]


async def test_a_move_by_hand_leaves_the_rows_of_ours(both: Both) -> None:
    async with both.database.working() as worker:
        asked = "select cast(id as text), version from task where reference like 'WRK-%'"
        (one, version), (other, _) = (await worker.execute(text(asked))).all()
    tag, body = f'"{version}"', {"action": "await_info"}
    path = "/v1/tasks/{}/transitions".format
    ours = await _left(both, lambda: both.ours[OWNER].post(path(one), body, etag=tag))
    by_hand = await _left(both, _by_hand(both, OWNER, path(other), body, **{"If-Match": tag}))
    assert ours[1] == {"event": 1, "unsequenced": 1, "idempotency_record": 1}
    assert by_hand == ours
