"""Hot queries keep their indexes under row-level security, however many tasks there are."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from nation import settle
from support import Agency, scaled

from app import db, start
from app.main import create_app
from app.security import verify
from app.services import callers
from app.settings import Settings

ROWS = scaled(30_000, 200_000)
#: Path -> the indexes that find its tasks, and how many of them it may look at; a scan of the table is none of them.
HOT = {
    "/v1/tasks/{id}": ({"pk_task"}, 4),
    "/v1/tasks": ({"ix_task_readers", "ix_task_updated_at"}, 3_000),
    "/v1/tasks?sort=-effective_at&limit=20": ({"ix_task_readers", "ix_task_effective_at"}, 3_000),
    "/v1/tasks?holder=KPU_KOTA_MALANG": ({"ix_task_holder"}, 3_000),
    "/v1/tasks?region=35.73": ({"ix_task_region_code"}, 3_000),
    "/v1/tasks?region=35.73&count=exact": ({"ix_task_region_code"}, 3_000),
    "/v1/tasks?region=35.73.04.1011": ({"ix_task_region_code"}, 100),
    "/v1/tasks?meeting={id}": ({"ix_task_meeting"}, 100),
    "/v1/tasks?deadline_status=breached": (
        {"ix_deadline_status", "ix_deadline_task_id", "ix_deadline_readers"},
        3_000,
    ),
    "/v1/deadlines": ({"ix_deadline_due_at", "ix_deadline_readers"}, 1_000),
    "/v1/deadlines?status=breached": ({"ix_deadline_status", "ix_deadline_readers"}, 1_000),
    "/v1/referrals": ({"ix_referral_readers", "ix_referral_recorded_at", "ix_referral_to_agency"}, 2_000),
}


#: Search -> how many tasks it may look at in all, for the KPU of one city and for that of the nation.
SEARCHES = {
    "q=banjir": 9_000,
    "q=banjir&sort=effective_at&limit=20": 9_000,
    "q=banjir&region=35.73": 2_000,
    "q=kudanil": 100,
    "q=gudang kudanil": 100,
    "q=kudnail": 100,
    "q=logistk&limit=20": 9_000,
    "q=gudang kudnail": 100,
    "q=qwertyuiop": 100,
}
#: Of this connection since it last handed in its figures, which it does now and then between transactions: a difference
#: within one transaction tells what a statement of it did.
_LOOKED = (
    "select seq_scan, coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0) as looked_at"
    " from pg_stat_xact_user_tables where relname = 'task'"
)


@pytest.fixture(scope="module")
async def nation(clone: Callable[[], Awaitable[str]], settings: Settings) -> AsyncIterator[FastAPI]:
    url = await clone()
    await settle(url, count=ROWS)
    app = create_app(settings, url)
    yield app
    await app.state.database.close()


@pytest.fixture(scope="module")
async def national_kpu(nation: FastAPI, settings: Settings) -> AsyncIterator[Agency]:
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(nation), base_url="http://simpul") as http:
        yield await Agency(http, kept[0]).sign_in()


@pytest.fixture(scope="module")
async def searchers(nation: FastAPI, settings: Settings, national_kpu: Agency) -> AsyncIterator[list[Agency]]:
    """The KPU of a city, and that of the nation, which reads a third of all tasks."""
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(nation), base_url="http://simpul") as http:
        operator = await Agency(http, next(one for one in kept if one["agency"] is None)).sign_in()
        made = await operator.post("/v1/clients", {"agency": "KPU_RI", "role": "supervisor", "purpose": "Test"})
        yield [national_kpu, await Agency(http, {**made.json(), "agency": "KPU_RI"}).sign_in()]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.attack
@pytest.mark.parametrize("path", HOT)
async def test_a_hot_query_finds_its_tasks_by_index(
    path: str, nation: FastAPI, national_kpu: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = await national_kpu.log(classification="terbatas")
    asked: list[tuple[str, dict[str, Any]]] = []
    original = db.rows

    async def noted(executor: Any, sql: str, /, **values: Any) -> Any:
        asked.append((sql, values))
        return await original(executor, sql, **values)

    with monkeypatch.context() as listening:
        listening.setattr(db, "rows", noted)
        answer = await national_kpu.get(path.format(id=logged["id"]))
    assert answer.status_code == 200, answer.text
    indexes, most = HOT[path]
    relation = next((one for one in ("referral", "deadline") if path.startswith(f"/v1/{one}s")), "task")
    ran = [(sql, values) for sql, values in asked if "task_detail" in sql]
    assert ran
    claims = verify(nation.state.keys, national_kpu.token, at=datetime.now(UTC))
    for sql, values in ran:
        async with nation.state.database.reading() as reader:
            await callers.identify(reader, claims, address="", acting_user=None, request_id="")
            found = await db.rows(reader, f"explain (analyze, format json) {sql}", **values)
        plan = next(iter(found[0].values()))
        told = json.loads(plan) if isinstance(plan, str) else plan
        used = list(nodes(told[0]["Plan"]))
        scans = [one for one in used if one.get("Relation Name") == relation]
        assert not [one for one in scans if one["Node Type"] == "Seq Scan" and one["Actual Loops"]], told
        assert indexes & {one["Index Name"] for one in used if "Index Name" in one}, told
        looked_at = sum(
            (one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"] for one in scans
        )
        assert looked_at <= max(most, ROWS / 10), told


@pytest.mark.attack
@pytest.mark.parametrize("search", SEARCHES)
async def test_a_search_looks_at_few_tasks_however_many_there_are(
    search: str, nation: FastAPI, searchers: list[Agency], monkeypatch: pytest.MonkeyPatch
) -> None:
    for agency in searchers:
        asked: list[tuple[str, dict[str, Any]]] = []
        original = db.rows

        async def noted(executor: Any, sql: str, /, **values: Any) -> Any:
            asked.append((sql, values))  # noqa: B023
            return await original(executor, sql, **values)  # noqa: B023

        with monkeypatch.context() as listening:
            listening.setattr(db, "rows", noted)
            answer = await agency.get(f"/v1/tasks?{search}")
        assert answer.status_code == 200, answer.text
        claims = verify(nation.state.keys, agency.token, at=datetime.now(UTC))
        (ran,) = [(sql, values) for sql, values in asked if "app.find" in sql]
        async with nation.state.database.reading() as reader:
            await callers.identify(reader, claims, address="", acting_user=None, request_id="")
            before = await db.one(reader, _LOOKED)
            await db.rows(reader, ran[0], **ran[1])
            after = await db.one(reader, _LOOKED)
        assert after["seq_scan"] == before["seq_scan"], (agency.code, search)
        assert after["looked_at"] - before["looked_at"] <= SEARCHES[search], (agency.code, search)
