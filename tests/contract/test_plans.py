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
    "/v1/tasks?deadline_status=breached": ({"ix_deadline_status", "ix_deadline_task_id"}, 3_000),
    "/v1/referrals": ({"ix_referral_readers", "ix_referral_recorded_at", "ix_referral_to_agency"}, 2_000),
}


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
    relation = "referral" if "referrals" in path else "task"
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
