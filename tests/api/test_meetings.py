"""Coordination meetings (rakor): what was decided, and the tasks that came of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from support import Agency, task

from app.db import Database, value

LOGISTICS = {"category": "logistics", "function": "logistics"}


async def hold(agency: Agency, *others: Agency, **said: Any) -> dict[str, Any]:
    body = {
        "title": "Rakor mitigasi kerawanan",
        "held_on": "2024-08-23",
        "region": "35.73",
        "venue": "Hotel Santika",
        "topics": ["asn_neutrality"],
        "participants": [{"agency": one.code} for one in others],
        "effective_at": "2024-08-23T09:00:00+07:00",
        **said,
    }
    held = await agency.post("/v1/meetings", body)
    assert held.status_code == 201, held.text
    return dict(held.json())


async def decide(agency: Agency, meeting: dict[str, Any], *tasks: dict[str, Any], **said: Any) -> httpx.Response:
    body = {"text": "Sosialisasi sebelum kampanye", "tasks": list(tasks), **said}
    return await agency.post(f"/v1/meetings/{meeting['id']}/decisions", body)


async def test_a_decision_makes_its_tasks_which_cite_it_and_the_law_owns_them(
    bakesbangpol: Agency, kpu: Agency, bkpsdm: Agency
) -> None:
    meeting = await hold(bakesbangpol, kpu)
    answer = await decide(bakesbangpol, meeting, task(), task(**LOGISTICS, effective_at="2024-10-02T08:00:00+07:00"))
    decision = answer.json()
    assert (answer.status_code, decision["number"], decision["agency"]) == (201, 1, bakesbangpol.code)
    made = [await bakesbangpol.read(one) for one in decision["tasks"]]
    assert [(one["meeting"], one["decision"]) for one in made] == [(meeting["id"], decision["id"])] * 2
    assert {one["open_referral"]["to_agency"] for one in made} == {bkpsdm.code, kpu.code}
    assert {one["logged_by"] for one in made} == {bakesbangpol.code}
    shown = (await kpu.get(f"/v1/meetings/{meeting['id']}")).json()
    assert [one["id"] for one in shown["decisions"]] == [decision["id"]]


async def test_tasks_of_a_decision_hold_from_its_instant_unless_they_say_otherwise(bakesbangpol: Agency) -> None:
    meeting = await hold(bakesbangpol)
    answer = await decide(
        bakesbangpol,
        meeting,
        task(),
        task(effective_at="2024-08-26T08:00:00+07:00"),
        effective_at="2024-08-23T11:00:00+07:00",
    )
    starts = [(await bakesbangpol.read(one))["effective_at"] for one in answer.json()["tasks"]]
    assert sorted(starts) == ["2024-08-23T04:00:00Z", "2024-08-26T01:00:00Z"]


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        ({"proposed_owner": "FORKOPIMDA_KOTA_MALANG"}, 409, "mandate-mismatch"),
        ({"function": "security"}, 409, "mandate-gap"),
        ({"category": "weather_of_mars"}, 422, "validation-failed"),
        ({"classification": "sangat_rahasia"}, 422, "classification-refused"),
        ({"region": "99.99"}, 422, "validation-failed"),
    ],
)
async def test_one_bad_task_and_nothing_is_decided(
    bad: dict[str, str], status: int, code: str, bakesbangpol: Agency, database: Database
) -> None:
    meeting, title = await hold(bakesbangpol), f"Sosialisasi {uuid4()}"
    refused = await decide(bakesbangpol, meeting, task(title=title), task(title=title, **bad))
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await bakesbangpol.get(f"/v1/meetings/{meeting['id']}/decisions")).json() == {"items": []}
    async with database.reading() as reader:
        assert await value(reader, "select count(*) from task where title = :title", title=title) == 0
        facts = "select count(*) from event where object_id = :id and kind = 'meeting.decided'"
        assert await value(reader, facts, id=meeting["id"]) == 0
    assert (await decide(bakesbangpol, meeting, task(title=title))).json()["number"] == 1


async def test_a_bad_task_of_a_decision_is_named_at_its_place(bakesbangpol: Agency) -> None:
    meeting = await hold(bakesbangpol)
    refused = await decide(bakesbangpol, meeting, task(), task(category="weather_of_mars"))
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/tasks/1/category"]


async def test_decisions_are_numbered_and_each_reader_sees_of_their_tasks_what_it_may(
    bakesbangpol: Agency, kodim: Agency, bkpsdm: Agency
) -> None:
    meeting = await hold(bakesbangpol, kodim)
    for _ in range(2):
        assert (await decide(bakesbangpol, meeting, task())).status_code == 201
    path = f"/v1/meetings/{meeting['id']}/decisions"
    of_kodim, of_owner = [(await one.get(path)).json()["items"] for one in (kodim, bkpsdm)]
    assert [one["number"] for one in of_kodim] == [1, 2]
    assert [one["tasks"] for one in of_kodim] == [[], []]
    assert [len(one["tasks"]) for one in of_owner] == [1, 1]


async def test_only_the_host_or_who_entered_the_meeting_decides(
    bakesbangpol: Agency, kpu: Agency, kodim: Agency
) -> None:
    meeting = await hold(bakesbangpol, kpu, host="KODIM_0833_KOTA_MALANG")
    refused = await decide(kpu, meeting)
    assert (refused.status_code, refused.json()["permission"]) == (403, "meeting.decide")
    assert (await decide(kodim, meeting)).status_code == 201
    assert (await decide(bakesbangpol, meeting)).json()["number"] == 2


async def test_nothing_is_decided_before_the_meeting(bakesbangpol: Agency) -> None:
    meeting = await hold(bakesbangpol)
    refused = await decide(bakesbangpol, meeting, effective_at="2024-08-23T08:59:59+07:00")
    (fault,) = refused.json()["errors"]
    assert (refused.status_code, fault["pointer"], fault["code"]) == (422, "/effective_at", "before_previous")


async def test_a_patch_sets_what_it_names_clears_what_is_null_and_leaves_the_rest(bakesbangpol: Agency) -> None:
    meeting = await hold(bakesbangpol, time_of_day="morning")
    path = f"/v1/meetings/{meeting['id']}"
    changed = await bakesbangpol.patch(path, {"title": "Rakor kedua", "venue": None}, etag='"1"')
    after = changed.json()
    assert (after["title"], after["venue"], after["time_of_day"]) == ("Rakor kedua", None, "morning")
    assert (after["topics"], after["version"]) == (["asn_neutrality"], 2)
    for null in ("title", "topics", "participants"):
        refused = await bakesbangpol.patch(path, {null: None}, etag='"2"')
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{null}")
    assert (await bakesbangpol.patch(path, {"title": "Rakor ketiga"}, etag='"1"')).status_code == 412
    assert (await bakesbangpol.patch(path, {"title": "Rakor ketiga"})).status_code == 428
    assert (await bakesbangpol.get(path)).json()["title"] == "Rakor kedua"


async def test_unknown_participants_are_named_at_their_place(bakesbangpol: Agency) -> None:
    body = {"title": "Rakor", "held_on": "2024-08-23", "region": "35.73"}
    there = [{"agency": "KPU_KOTA_MALANG"}, {"agency": "NOBODY_AT_ALL"}]
    refused = await bakesbangpol.post("/v1/meetings", {**body, "participants": there})
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/participants/1/agency"]
