"""A mandate ends, and its open tasks go by law to its successor: once, at midnight WIB; the old owner stays known."""

from __future__ import annotations

from typing import Any

import pytest
from scenarios.story import moment
from scenarios.world import World
from succession.ends import Ends, at
from support import Agency

from app.db import rows

Json = dict[str, Any]

ADJUDICATION: Json = {"category": "asn_neutrality", "function": "adjudication", "region": "35.73"}
REFERRED = "2024-08-15T14:00:00+07:00"
LAST_SECOND = "2024-08-23T23:59:59+07:00"
MIDNIGHT = "2024-08-24T00:00:00+07:00"


@pytest.fixture
async def bawaslu(changing: World) -> Agency:
    return await changing.agency("BAWASLU_KOTA_MALANG")


async def with_kasn(world: World, logger: Agency, *, since: str = REFERRED, **said: Any) -> Json:
    """A case that KASN has accepted."""
    logged = await logger.log(**{**ADJUDICATION, **said}, effective_at=since)
    return await world.accept(logger, logged, effective_at=since)


async def test_an_open_case_goes_from_kasn_to_bkn_at_midnight_and_nobody_had_to_accept(
    changing: World, ends: Ends, bawaslu: Agency
) -> None:
    case = await with_kasn(changing, bawaslu)
    assert (case["accountable"], case["mandate"], case["mandate_ended"]) == ("KASN", "M05", False)
    await ends.come()
    after = await bawaslu.read(case["id"])
    assert {name: after[name] for name in ("accountable", "holder", "mandate", "status", "mandate_ended")} == {
        "accountable": "BKN",
        "holder": "BKN",
        "mandate": "M06",
        "status": "accepted",
        "mandate_ended": False,
    }
    assert after["version"] == case["version"] + 1
    assert await ends.owners(bawaslu, case) == [
        ("KASN", "M05", moment(REFERRED), moment(MIDNIGHT)),
        ("BKN", "M06", moment(MIDNIGHT), None),
    ]
    (told,) = await ends.told(bawaslu, case, "task.succeeded")
    assert moment(told["effective_at"]) == moment(MIDNIGHT)
    assert told["facts"] == {
        "from_agency": "KASN",
        "to_agency": "BKN",
        "from_mandate": "M05",
        "to_mandate": "M06",
        "because": "mandate_expired",
    }
    assert (told["agency"], told["client"], told["acting_user"]) == (None, None, None)


async def test_before_and_after_are_both_readable(changing: World, ends: Ends, bawaslu: Agency) -> None:
    case = await with_kasn(changing, bawaslu)
    await ends.come()
    stood = {moment: await at(bawaslu, case, moment) for moment in (REFERRED, LAST_SECOND, MIDNIGHT)}
    assert [(then["accountable"], then["mandate"]) for then in stood.values()] == [
        ("KASN", "M05"),
        ("KASN", "M05"),
        ("BKN", "M06"),
    ]
    assert "BKN" in stood[LAST_SECOND]["supporting"]
    assert "BKN" not in stood[MIDNIGHT]["supporting"]
    for instant, row in ((LAST_SECOND, "M05"), (MIDNIGHT, "M06")):
        asked = {"category": "asn_neutrality", "function": "adjudication", "as_of": instant}
        listed = (await bawaslu.get("/v1/mandates", params=asked)).json()["items"]
        assert [one["id"] for one in listed] == [row]


async def test_the_successor_works_on_and_the_old_owner_keeps_what_it_worked_on(
    changing: World, ends: Ends, bawaslu: Agency
) -> None:
    kasn, bkn = await changing.agency("KASN"), await changing.agency("BKN")
    case = await with_kasn(changing, bawaslu)
    assert (await kasn.move(case["id"], "start", effective_at="2024-08-20T09:00:00+07:00")).status_code == 200
    await ends.come()
    assert (await kasn.read(case["id"]))["access"] == "summary"
    heard = [one["kind"] for one in (await changing.history(kasn, case))["items"]]
    assert "task.started" in heard
    assert (await kasn.move(case["id"], "await_info")).status_code == 403
    assert (await bkn.read(case["id"]))["status"] == "in_progress"
    assert (await bkn.move(case["id"], "await_info")).status_code == 200


@pytest.mark.parametrize("region", ["35.73", "73.71", "91.71"])
async def test_midnight_is_that_of_jakarta_in_every_zone(changing: World, ends: Ends, region: str) -> None:
    kpu = await changing.agency("KPU_RI")
    case = await with_kasn(changing, kpu, region=region, since="2024-08-23T16:59:59Z")
    await ends.come()
    assert await ends.owners(kpu, case) == [
        ("KASN", "M05", moment("2024-08-23T16:59:59Z"), moment("2024-08-23T17:00:00Z")),
        ("BKN", "M06", moment("2024-08-23T17:00:00Z"), None),
    ]


async def test_what_people_entered_later_is_not_overtaken(changing: World, ends: Ends, bawaslu: Agency) -> None:
    kasn = await changing.agency("KASN")
    case = await with_kasn(changing, bawaslu)
    started = "2024-09-02T08:00:00+07:00"
    assert (await kasn.move(case["id"], "start", effective_at=started)).status_code == 200
    await ends.come()
    assert await ends.owners(bawaslu, case) == [
        ("KASN", "M05", moment(REFERRED), moment(started)),
        ("BKN", "M06", moment(started), None),
    ]


async def test_rows_that_follow_one_another_are_gone_through_one_by_one(
    changing: World, ends: Ends, bawaslu: Agency
) -> None:
    since, turn = "2023-10-01T09:00:00+07:00", "2023-10-31T00:00:00+07:00"
    case = await with_kasn(changing, bawaslu, since=since)
    assert case["mandate"] == "M04"
    await ends.come()
    assert await ends.owners(bawaslu, case) == [
        ("KASN", "M04", moment(since), moment(turn)),
        ("KASN", "M05", moment(turn), moment(MIDNIGHT)),
        ("BKN", "M06", moment(MIDNIGHT), None),
    ]
    assert [one["facts"]["to_mandate"] for one in await ends.told(bawaslu, case, "task.succeeded")] == ["M05", "M06"]


async def test_the_same_office_goes_on_under_the_row_that_follows(changing: World, ends: Ends) -> None:
    kpu, since = await changing.agency("KPU_KOTA_MALANG"), "2024-08-20T09:00:00+07:00"
    task = await kpu.log(category="candidate_eligibility", function="handling", effective_at=since)
    assert (task["accountable"], task["mandate"]) == (kpu.code, "M27")
    await ends.come()
    turn = moment("2024-08-25T00:00:00+07:00")
    assert await ends.owners(kpu, task) == [
        (kpu.code, "M27", moment(since), turn),
        (kpu.code, "M28", turn, None),
    ]
    after = await kpu.read(task["id"])
    assert (after["accountable"], after["mandate"], after["status"]) == (kpu.code, "M28", "accepted")


async def test_a_row_that_goes_by_the_events_date_keeps_its_owner(changing: World, ends: Ends) -> None:
    kpu, since = await changing.agency("KPU_KOTA_MALANG"), "2024-11-01T09:00:00+07:00"
    task = await kpu.log(category="admin_violation", function="adjudication", effective_at=since)
    assert (task["accountable"], task["mandate"]) == (kpu.code, "M33")
    await ends.come()
    assert await kpu.read(task["id"]) == task
    assert await ends.owners(kpu, task) == [(kpu.code, "M33", moment(since), None)]


async def test_without_a_successor_the_owner_stays_and_the_task_says_so_until_the_law_names_somebody(
    changing: World, ends: Ends
) -> None:
    polresta, since = await changing.agency("POLRESTA_MALANG_KOTA"), "2024-11-20T09:00:00+07:00"
    task = await polresta.log(category="logistics", function="security", effective_at=since)
    assert (task["accountable"], task["mandate"]) == (polresta.code, "M52")
    await ends.come()
    after = await polresta.read(task["id"])
    assert (after["accountable"], after["mandate"], after["mandate_ended"]) == (polresta.code, "M52", True)
    (told,) = await ends.told(polresta, task, "task.mandate_ended")
    assert moment(told["effective_at"]) == moment("2025-01-01T00:00:00+07:00")
    assert (told["facts"]["mandate"], told["facts"]["outcome"]) == ("M52", "gap")
    assert (await at(polresta, task, "2024-12-31T23:59:59+07:00"))["mandate_ended"] is False
    assert (await at(polresta, task, "2025-01-01T00:00:00+07:00"))["mandate_ended"] is True
    await ends.come()
    assert await polresta.read(task["id"]) == after, "it is marked once"
    begins = "2025-03-01"
    found = await changing.operator.post("/v1/mandates", {**LATER, "id": "M952", "valid_from": begins})
    assert found.status_code == 201, found.text
    await ends.come()
    again = await polresta.read(task["id"])
    assert (again["accountable"], again["mandate"], again["mandate_ended"]) == (
        "KODIM_0833_KOTA_MALANG",
        "M952",
        False,
    )
    (told,) = await ends.told(polresta, task, "task.succeeded")
    assert moment(told["effective_at"]) == moment(f"{begins}T00:00:00+07:00")
    assert told["facts"]["because"] == "law_changed"


LATER: Json = {
    "category": "logistics",
    "function": "security",
    "accountable": "KODIM@city",
    "supporting": [],
    "informed": [],
    "legal_basis": ["uu_1_2015#134-135"],
    "resolve_at": "creation",
    "region_code": "35.73",
}


async def test_what_is_over_stays_with_whom_it_was(changing: World, ends: Ends, bawaslu: Agency) -> None:
    kasn = await changing.agency("KASN")
    case = await with_kasn(changing, bawaslu)
    cancelled = await kasn.move(case["id"], "cancel", reason="Dicabut.", effective_at="2024-08-20T09:00:00+07:00")
    assert cancelled.status_code == 200, cancelled.text
    await ends.come()
    assert (await bawaslu.read(case["id"]))["accountable"] == "KASN"


async def test_readers_are_those_that_the_facts_give(changing: World, ends: Ends, bawaslu: Agency) -> None:
    await with_kasn(changing, bawaslu)
    await ends.come()
    async with ends.database.working() as writer:
        stale = await rows(
            writer,
            "select t.id from task t cross join lateral app.readers_of(t.id) f"
            " where t.readers <> f.readers or t.summary_readers <> f.summary_readers",
        )
    assert stale == []
