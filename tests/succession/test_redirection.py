"""Referrals and the end of a mandate: an office without one accepts nothing more, and the law hands on what waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from scenarios.story import moment
from scenarios.world import World, open_world
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from succession.ends import Ends
from support import Agency

from app.db import Database
from app.settings import Settings

Json = dict[str, Any]

ADJUDICATION: Json = {"category": "asn_neutrality", "function": "adjudication", "region": "35.73"}
REFERRED = "2024-08-15T14:00:00+07:00"
MIDNIGHT = "2024-08-24T00:00:00+07:00"
TODAY = datetime.now(timezone(timedelta(hours=7))).date().isoformat()


@pytest.fixture
async def world(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[Json]
) -> AsyncIterator[World]:
    async with open_world(await clone(), settings, credentials) as world:
        yield world


@pytest.fixture
async def ends(world: World, settings: Settings) -> AsyncIterator[Ends]:
    database = Database(world.url, settings)
    yield Ends(world, database)
    await database.close()


@pytest.fixture
async def bawaslu(world: World) -> Agency:
    return await world.agency("BAWASLU_KOTA_MALANG")


async def told_before_the_end(world: World) -> None:
    """As if every referral had been recorded when it was sent."""
    engine = create_async_engine(world.url)
    async with engine.begin() as connection:
        await connection.execute(text("update referral set recorded_at = effective_at"))
    await engine.dispose()


async def test_a_referral_that_waits_at_kasn_goes_to_bkn_by_law(world: World, ends: Ends, bawaslu: Agency) -> None:
    task = await bawaslu.log(**ADJUDICATION, effective_at=REFERRED)
    old = task["open_referral"]
    await told_before_the_end(world)
    await ends.come()
    after = await bawaslu.read(task["id"])
    new = after["open_referral"]
    assert (after["status"], after["accountable"], after["holder"]) == ("assigned", None, bawaslu.code)
    assert (new["to_agency"], new["from_agency"], new["mandate"]) == ("BKN", bawaslu.code, "M06")
    assert new["id"] != old["id"]
    assert (await bawaslu.get(f"/v1/referrals/{old['id']}")).json()["status"] == "withdrawn"
    told = await ends.told(bawaslu, task, "referral.withdrawn", "referral.sent")
    assert [(one["facts"]["to_agency"], one["facts"].get("because")) for one in told] == [
        ("KASN", None),
        ("KASN", "mandate_expired"),
        ("BKN", "mandate_expired"),
    ]
    assert {moment(one["effective_at"]) for one in told[1:]} == {moment(MIDNIGHT)}
    accepted = await world.accept(bawaslu, after)
    assert accepted["accountable"] == "BKN"


async def test_what_is_told_late_may_be_answered_as_late(world: World, ends: Ends, bawaslu: Agency) -> None:
    task = await bawaslu.log(**ADJUDICATION, effective_at=REFERRED)
    await ends.come()
    assert (await bawaslu.read(task["id"]))["open_referral"] == task["open_referral"]
    accepted = await world.accept(bawaslu, task, effective_at=REFERRED)
    assert accepted["accountable"] == "KASN"
    await ends.come()
    assert (await bawaslu.read(task["id"]))["accountable"] == "BKN"


async def test_an_office_whose_row_has_ended_accepts_no_more_and_the_refusal_names_its_successor(
    world: World, bawaslu: Agency
) -> None:
    row = {
        "category": "logistics",
        "function": "security",
        "accountable": "KODIM@city",
        "legal_basis": ["uu_1_2015#30"],
        "resolve_at": "creation",
        "region_code": "35.73",
    }
    added = await world.operator.post("/v1/mandates", {**row, "id": "M952", "valid_from": "2025-01-01"})
    assert added.status_code == 201, added.text
    task = await bawaslu.log(
        category="logistics", function="security", region="35.73", effective_at="2024-11-20T09:00:00+07:00"
    )
    assert task["open_referral"]["to_agency"] == "POLRESTA_MALANG_KOTA"
    polresta = await world.agency("POLRESTA_MALANG_KOTA")
    referral = task["open_referral"]["id"]
    late = await polresta.answer(referral, "accepted", effective_at="2025-01-01T00:00:00+07:00")
    assert (late.status_code, late.json()["code"]) == (409, "mandate-mismatch")
    assert (late.json()["competent_agency"], late.json()["mandate"]) == ("KODIM_0833_KOTA_MALANG", "M952")
    in_time = await polresta.answer(referral, "accepted", effective_at="2024-12-31T23:59:59+07:00")
    assert in_time.status_code == 200, in_time.text


async def test_the_same_office_accepts_under_the_row_that_followed(world: World, ends: Ends, bawaslu: Agency) -> None:
    task = await bawaslu.log(
        category="candidate_eligibility", function="handling", effective_at="2024-08-20T09:00:00+07:00"
    )
    assert task["open_referral"]["mandate"] == "M27"
    await told_before_the_end(world)
    await ends.come()
    assert (await bawaslu.read(task["id"]))["open_referral"]["mandate"] == "M27"
    accepted = await world.accept(bawaslu, await bawaslu.read(task["id"]), effective_at="2024-08-26T09:00:00+07:00")
    assert (accepted["accountable"], accepted["mandate"]) == ("KPU_KOTA_MALANG", "M28")


async def test_without_a_successor_a_referral_goes_back_to_its_sender(
    world: World, ends: Ends, bawaslu: Agency
) -> None:
    task = await bawaslu.log(category="logistics", function="security", effective_at="2024-11-20T09:00:00+07:00")
    await told_before_the_end(world)
    await ends.come()
    after = await bawaslu.read(task["id"])
    assert (after["status"], after["open_referral"], after["holder"]) == ("returned", None, bawaslu.code)
    polresta = await world.agency("POLRESTA_MALANG_KOTA")
    gone = await polresta.get(f"/v1/referrals/{task['open_referral']['id']}")
    assert gone.json()["status"] == "withdrawn"


async def test_the_successor_steps_into_a_referral_that_its_predecessor_had_sent(
    world: World, ends: Ends, bawaslu: Agency
) -> None:
    kasn, bkn = await world.agency("KASN"), await world.agency("BKN")
    case = await bawaslu.log(**ADJUDICATION, effective_at=REFERRED)
    await world.accept(bawaslu, case, effective_at=REFERRED)
    sent = await kasn.refer(
        case["id"],
        to_agency="PEJABAT_PEMBINA_KEPEGAWAIAN_KOTA_MALANG",
        function="sanction",
        effective_at="2024-08-20T09:00:00+07:00",
    )
    assert sent.status_code == 201, sent.text
    await ends.come()
    after = await bkn.read(case["id"])
    assert (after["accountable"], after["open_referral"]["from_agency"]) == ("BKN", "BKN")
    (told,) = await ends.told(bkn, case, "task.succeeded")
    assert told["facts"]["to_agency"] == "BKN"
    moves = {move["action"] for move in after["available_transitions"]}
    assert "withdraw" in moves
    place = f"/v1/referrals/{sent.json()['id']}"
    taken_back = await bkn.post(f"{place}/withdrawal", {}, etag=(await bkn.get(place)).headers["etag"])
    assert taken_back.status_code == 200, taken_back.text


async def test_a_referral_to_the_successor_itself_is_settled_by_the_law(
    world: World, ends: Ends, bawaslu: Agency
) -> None:
    kasn, bkn = await world.agency("KASN"), await world.agency("BKN")
    added = await world.operator.post(
        "/v1/mandates",
        {
            "id": "M980",
            "category": "asn_neutrality",
            "function": "monitoring",
            "variant": "uji",
            "accountable": "BKN@national",
            "legal_basis": ["uu_20_2023"],
            "resolve_at": "referral",
            "valid_from": "2024-01-01",
        },
    )
    assert added.status_code == 201, added.text
    case = await bawaslu.log(**ADJUDICATION, effective_at=REFERRED)
    await world.accept(bawaslu, case, effective_at=REFERRED)
    asked = {"to_agency": "BKN", "function": "monitoring", "variant": "uji"}
    sent = await kasn.refer(case["id"], **asked, effective_at="2024-08-20T09:00:00+07:00")
    assert sent.status_code == 201, sent.text
    await ends.come()
    after = await bkn.read(case["id"])
    assert (after["accountable"], after["open_referral"], after["function"]) == ("BKN", None, "adjudication")
    assert (await bkn.get(f"/v1/referrals/{sent.json()['id']}")).json()["status"] == "withdrawn"


async def test_an_agency_that_is_dissolved_hands_over_to_the_one_that_holds_its_office_then(
    world: World, ends: Ends
) -> None:
    old = await world.agency("BKPSDM_KOTA_MALANG")
    since = "2024-08-20T09:00:00+07:00"
    task = await old.log(effective_at=since)
    assert task["accountable"] == old.code
    place = f"/v1/agencies/{old.code}"
    shown = await world.operator.get(place)
    ended = await world.operator.patch(place, {"valid_to": "2025-06-01"}, etag=shown.headers["etag"])
    assert ended.status_code == 200, ended.text
    await ends.come()
    marked = await old.read(task["id"])
    assert (marked["accountable"], marked["mandate_ended"]) == (old.code, True)
    (told,) = await ends.told(old, task, "task.mandate_ended")
    assert (told["facts"]["because"], told["facts"]["missing_office"]) == ("agency_ended", "BKPSDM@city")
    known = {name: shown.json()[name] for name in ("office", "tier", "type", "level", "region_code", "regions")}
    new = {**known, "code": "BADAN_BARU", "name_id": "Badan Kepegawaian", "valid_from": "2025-07-01"}
    assert (await world.operator.post("/v1/agencies", new)).status_code == 201
    await ends.come()
    after = await old.read(task["id"])
    assert after["accountable"] == "BADAN_BARU"
    reader = await world.agency("BADAN_BARU")
    assert (await reader.read(task["id"]))["mandate_ended"] is False
    turn = moment("2025-07-01T00:00:00+07:00")
    assert await ends.owners(reader, task) == [
        (old.code, "M01", moment(since), turn),
        ("BADAN_BARU", "M01", turn, None),
    ]


async def test_a_task_that_somebody_is_working_on_is_left_for_the_next_round(
    world: World, ends: Ends, bawaslu: Agency
) -> None:
    case = await bawaslu.log(**ADJUDICATION, effective_at=REFERRED)
    await world.accept(bawaslu, case, effective_at=REFERRED)
    engine = create_async_engine(world.url)
    async with engine.begin() as somebody:
        await somebody.execute(text("select 1 from task where id = :id for update"), {"id": case["id"]})
        await ends.come()
        assert (await bawaslu.read(case["id"]))["accountable"] == "KASN"
    await engine.dispose()
    await ends.come()
    assert (await bawaslu.read(case["id"]))["accountable"] == "BKN"
    assert len(await ends.told(bawaslu, case, "task.succeeded")) == 1


async def test_who_read_the_task_before_it_changed_hands_is_told_to_read_it_again(
    world: World, ends: Ends, bawaslu: Agency
) -> None:
    kasn = await world.agency("KASN")
    case = await bawaslu.log(**ADJUDICATION, effective_at=REFERRED)
    await world.accept(bawaslu, case, effective_at=REFERRED)
    seen = await kasn.get(f"/v1/tasks/{case['id']}")
    await ends.come()
    stale = {"title": "Judul baru"}
    refused = await bawaslu.patch(f"/v1/tasks/{case['id']}", stale, etag=seen.headers["etag"])
    assert (refused.status_code, refused.json()["code"]) == (412, "stale-version")
    assert moment((await bawaslu.read(case["id"]))["updated_at"]) <= datetime.now(UTC)
