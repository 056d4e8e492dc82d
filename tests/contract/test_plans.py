"""Hot statements keep their plans, however many tasks there are: what they look at is bounded, whoever asks.

Nothing here is about time. A plan is told by PostgreSQL while the service runs the statement (tests/plans.py), the
first time and when it has been prepared for others before.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from growth import grow
from nation import settle
from plans import Plans, explained
from support import Agency, scaled

from app import db, start
from app.main import create_app
from app.security import verify
from app.services import callers, sequencer, webhook_queue
from app.settings import Settings

ROWS = scaled(20_000, 200_000)
#: A statement prepared by name may be planned anew for each of five, and once for all that follow.
TIMES = 7
CITY, PROVINCE, NATION = "KPU_KOTA_MALANG", "KPU_JATIM", "KPU_RI"
EVERYBODY = (CITY, PROVINCE, NATION)
#: Path, who asks, the indexes of which one at least must be used, how many pages of the database it may look at.
HOT = [
    ("/v1/tasks/{id}", EVERYBODY, {"pk_task"}, 60),
    ("/v1/tasks", (NATION,), {"ix_task_updated_at"}, 1_500),
    ("/v1/tasks", (CITY, PROVINCE), {"ix_task_updated_at", "ix_task_brief"}, 4_500),
    ("/v1/tasks?status=assigned&category=asn_neutrality", EVERYBODY, {"ix_task_updated_at", "ix_task_brief"}, 4_500),
    ("/v1/tasks?region=35.73.04.1011", EVERYBODY, {"ix_task_region_code"}, 200),
    ("/v1/tasks?meeting={id}", EVERYBODY, {"ix_task_meeting", "pk_meeting"}, 60),
    # filters that nothing passes, or little, of all that who asks may see
    ("/v1/tasks?status=draft", EVERYBODY, {"ix_task_kind"}, 100),
    ("/v1/tasks?category=money_politics&priority=critical", EVERYBODY, {"ix_task_kind"}, 100),
    ("/v1/tasks?external_reference=nobody", EVERYBODY, {"ix_task_external_reference"}, 60),
    ("/v1/tasks?party=me", (NATION,), {"ix_task_words"}, 100),
    ("/v1/tasks?stage=voting", (NATION,), {"ix_task_event_at"}, 150),
    ("/v1/tasks?holder=KPU_KOTA_BATU", (NATION,), {"ix_task_holder"}, 1_500),
    ("/v1/tasks?accountable=KPU_RI&count=estimate", (NATION,), {"ix_task_holder"}, 150),
    ("/v1/tasks?region=35", (PROVINCE, NATION), {"ix_task_updated_at", "ix_task_region_code", "ix_task_words"}, 6_000),
    ("/v1/tasks?q=kudanil", EVERYBODY, {"ix_task_words"}, 1_500),
    # grows with the referrals that the caller sees: their tasks are looked up before they are sorted
    ("/v1/referrals", (PROVINCE, NATION), {"ix_referral_readers"}, scaled(3_000, 30_000)),
    # few are open at a time, so it may as well look among these
    (
        "/v1/referrals?to_agency=KPU_KOTA_MALANG&status=sent,received",
        EVERYBODY,
        {"ix_referral_to_agency", "ix_referral_mandate", "uq_referral_open"},
        200,
    ),
    ("/v1/deadlines", EVERYBODY, {"ix_deadline_due_at", "ix_deadline_readers"}, 1_500),
    ("/v1/deadlines?status=paused", (NATION,), {"ix_deadline_status"}, 60),
    ("/v1/statistics/tasks?status=draft", (NATION,), {"ix_task_kind"}, 150),
    ("/v1/vulnerabilities?region=35.73", EVERYBODY, {"ix_vulnerability_region_code", "ix_vulnerability_words"}, 1_100),
    ("/v1/meetings?region=35.73", EVERYBODY, {"ix_meeting_region_code", "ix_meeting_words"}, 1_100),
    # of each entry that it looks at (2,000), some ten lookups of four pages
    ("/v1/events?after=0", EVERYBODY, {"pk_log_entry"}, scaled(12_000, 100_000)),
    ("/v1/events?after={newest}", EVERYBODY, {"pk_log_entry"}, 200),
    ("/v1/me", EVERYBODY, {"pk_client"}, 30),
]
#: Orders of the list that were sorted whole, where the planner has so many tasks before it that a walk is worth it.
ORDERS = {"recorded_at": "ix_task_recorded_at", "due_at": "ix_task_due_at", "-effective_at": "ix_task_effective_at"}


#: Search -> how many tasks it may look at in all, for the KPU of one city and for that of the nation.
SEARCHES = {
    "q=banjir": 9_000,
    "q=banjir&sort=effective_at&limit=20": 9_000,
    "q=banjir&region=35.73": 2_000,
    "q=kudanil": 200,
    "q=gudang kudanil": 100,
    "q=kudnail": 200,
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
    await grow(url)
    app = create_app(settings, url)
    yield app
    await app.state.database.close()


@pytest.fixture(scope="module")
async def agencies(nation: FastAPI, plans: Plans, settings: Settings) -> AsyncIterator[dict[str, Agency]]:
    """Clients of a city, its province and the nation, and of two who refer to one another."""
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())

    async def heard_out(_: httpx.Response) -> None:
        # what a connection says beside its answers is heard in the loop's next turns, of its last at its rollback
        await asyncio.sleep(0.03)

    hooks: Any = {"response": [heard_out]}
    transport = httpx.ASGITransport(nation)
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul", event_hooks=hooks) as http:
        operator = await Agency(http, next(one for one in kept if one["agency"] is None)).sign_in()
        found = {}
        for code in (*EVERYBODY, "BAKESBANGPOL_KOTA_MALANG", "BKPSDM_KOTA_MALANG"):
            made = await operator.post("/v1/clients", {"agency": code, "role": "supervisor", "purpose": "Test"})
            assert made.status_code == 201, made.text
            found[code] = await Agency(http, {**made.json(), "agency": code}).sign_in()
        # what a connection learns at first of tables and types is nobody's read
        await found[CITY].get("/v1/me")
        assert plans.ran
        yield found


@pytest.fixture
async def searchers(agencies: dict[str, Agency]) -> list[Agency]:
    """The KPU of a city, and that of the nation, which reads a third of all tasks."""
    return [agencies[CITY], agencies[NATION]]


@pytest.fixture(scope="module")
def plans(nation: FastAPI) -> Iterator[Plans]:
    """What the connections of that service run, which are all made under these eyes."""
    with explained(nation.state.database) as told:
        yield told


async def switch(app: FastAPI, bitmaps: str) -> None:
    """Let the one connection that is in use take bitmaps for its plans, or not."""
    async with app.state.database.writing() as writer:
        await db.value(writer, "select set_config('enable_bitmapscan', :told, false)", told=bitmaps)


async def logged(agencies: dict[str, Agency]) -> dict[str, Any]:
    return await agencies["BAKESBANGPOL_KOTA_MALANG"].log(classification="terbatas")


@pytest.mark.attack
@pytest.mark.parametrize(("path", "who", "indexes", "most"), HOT)
async def test_a_hot_read_looks_at_few_pages_however_large_the_nation(
    path: str,
    who: tuple[str, ...],
    indexes: set[str],
    most: int,
    nation: FastAPI,
    plans: Plans,
    agencies: dict[str, Agency],
) -> None:
    task = await logged(agencies)
    async with nation.state.database.working() as writer:
        await sequencer.sequence(writer, head_every=0)
        size = await db.value(writer, "select max(index) from log_entry")
    asked = path.format(id=task["id"], newest=size - 1)
    for code in who:
        await agencies[code].get(asked)  # whether it sees much is found out once a minute
        for _ in range(TIMES):
            plans.clear()
            answer = await agencies[code].get(asked)
            hidden = "/{id}" in path and code != CITY
            assert answer.status_code == (404 if hidden else 200), answer.text
            if not hidden:
                assert plans.indexes & indexes, plans.told()
            assert not plans.read_whole, plans.told()
            assert 0 < plans.buffers <= most, plans.told()


@pytest.mark.attack
@pytest.mark.parametrize("order", ORDERS)
async def test_every_order_of_the_list_has_an_index_that_is_walked(
    order: str, nation: FastAPI, plans: Plans, agencies: dict[str, Agency]
) -> None:
    """Whoever sees a third of all would have that third sorted: where the nation is small, the planner is told so."""
    await switch(nation, "off")
    try:
        plans.clear()
        answer = await agencies[NATION].get(f"/v1/tasks?sort={order}&limit=20")
    finally:
        await switch(nation, "on")
    assert answer.status_code == 200, answer.text
    assert ORDERS[order] in plans.indexes, plans.told()
    assert plans.sorted < 100, plans.told()
    assert plans.buffers <= 1_500, plans.told()


@pytest.mark.attack
@pytest.mark.parametrize("code", [CITY, NATION])
async def test_a_deep_page_looks_at_no_more_than_an_early_one(
    code: str, plans: Plans, agencies: dict[str, Agency]
) -> None:
    """The third: what these tests have logged lies before it, closer together than anybody's tasks in a nation."""
    cursor = None
    for _ in range(3):
        plans.clear()
        early = await agencies[code].get("/v1/tasks", params={"cursor": cursor} if cursor else None)
        looked_at, cursor = plans.buffers, early.json()["next_cursor"]
    for _ in range(4):
        page = await agencies[code].get("/v1/tasks", params={"limit": "100", "cursor": cursor, "fields": "id"})
        assert page.status_code == 200, page.text
        cursor = page.json()["next_cursor"]
    plans.clear()
    deep = await agencies[code].get("/v1/tasks", params={"cursor": cursor})
    assert len(deep.json()["items"]) == len(early.json()["items"]) == 50
    assert "ix_task_updated_at" in plans.indexes, plans.told()
    assert plans.buffers <= 1.2 * looked_at + 100, (looked_at, plans.told())


@pytest.mark.attack
async def test_writes_find_what_they_change_by_index(plans: Plans, agencies: dict[str, Agency]) -> None:
    sender, receiver = agencies["BAKESBANGPOL_KOTA_MALANG"], agencies["BKPSDM_KOTA_MALANG"]
    for turn in range(TIMES):
        plans.clear()
        task = await logged(agencies)
        assert not plans.read_whole, plans.told()
        assert {"pk_idempotency_record", "pk_client", "pk_revoked_token"} <= plans.indexes, plans.told()
        # the first one reads in the catalogue as well
        assert plans.buffers <= (1_000 if turn else 3_000), plans.told()
    referral = task["open_referral"]["id"]
    etag = (await receiver.get(f"/v1/referrals/{referral}")).headers["etag"]
    plans.clear()
    accepted = await receiver.post(f"/v1/referrals/{referral}/response", {"answer": "accepted"}, etag=etag)
    assert accepted.status_code == 200, accepted.text
    assert not plans.read_whole, plans.told()
    assert plans.buffers <= 1_500, plans.told()
    etag = (await receiver.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    plans.clear()
    started = await receiver.post(f"/v1/tasks/{task['id']}/transitions", {"action": "start"}, etag=etag)
    assert started.status_code == 200, started.text
    assert not plans.read_whole, plans.told()
    assert plans.buffers <= 1_500, plans.told()
    plans.clear()
    history = await sender.get(f"/v1/tasks/{task['id']}/history")
    assert len(history.json()["items"]) >= 4, history.text
    # each year has its own index, made of the table's
    assert any(re.fullmatch(r"event_\w+_task_id_id_idx", name) for name in plans.indexes), plans.told()
    assert plans.buffers <= 800, plans.told()  # a year of few facts may well be read whole


@pytest.mark.attack
async def test_the_worker_looks_for_what_is_due_by_index(
    nation: FastAPI, plans: Plans, agencies: dict[str, Agency]
) -> None:
    await logged(agencies)
    plans.clear()
    async with nation.state.database.working() as writer:
        placed = (await sequencer.sequence(writer, head_every=0)).placed
    assert placed > 0
    assert not plans.read_whole, plans.told()
    assert plans.buffers <= 400 + 40 * placed, plans.told()
    plans.clear()
    async with nation.state.database.working() as writer:
        await sequencer.sequence(writer, head_every=0)
    assert plans.buffers <= 60, plans.told()
    plans.clear()
    async with nation.state.database.working() as writer:
        _, hooks = await webhook_queue.claim(writer, most=8)
        await webhook_queue.release(writer, [one["lease"] for one in hooks])
    assert hooks
    assert not plans.read_whole, plans.told()
    assert plans.buffers <= 400, plans.told()


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
