"""Who was accountable, supporting, informed, from when to when; and what a previous owner still sees."""

from __future__ import annotations

from typing import Any

import pytest
from stories import Cast
from support import Agency

from app.rules.vocabulary import Status


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


async def assignments(agency: Agency, task: dict[str, Any], role: str) -> dict[str, tuple[str, str | None, str]]:
    """Of each agency in a role: from, to, and under which row of the matrix."""
    history = (await agency.get(f"/v1/tasks/{task['id']}/history")).json()
    found = [one for one in history["assignments"] if one["role"] == role]
    assert len({one["agency"] for one in found}) == len(found)
    return {one["agency"]: (one["from_at"], one["to_at"], one["mandate"]) for one in found}


async def test_before_the_first_acceptance_the_logger_holds_and_nobody_is_accountable(cast: Cast) -> None:
    for status in (Status.DRAFT, Status.ASSIGNED, Status.RETURNED):
        task = await cast.bring(status)
        assert (task["holder"], task["accountable"], task["mandate"]) == (cast.logger.code, None, None)
        assert await assignments(cast.logger, task, "accountable") == {}


async def test_a_hand_over_ends_one_owner_at_the_instant_at_which_the_next_begins(cast: Cast, bawaslu: Agency) -> None:
    logged = await cast.logger.log(effective_at="2024-08-19T08:00:00+07:00")
    await cast.owner.accept(logged, effective_at="2024-08-20T09:00:00+07:00")
    sent = await cast.owner.refer(
        logged["id"], to_agency=bawaslu.code, function="monitoring", effective_at="2024-08-21T10:00:00+07:00"
    )
    assert (await cast.owner.read(logged["id"]))["accountable"] == cast.owner.code
    await bawaslu.answer(sent.json()["id"], "accepted", effective_at="2024-08-22T11:00:00+07:00")
    task = await bawaslu.read(logged["id"])
    assert (task["holder"], task["accountable"], task["mandate"]) == (bawaslu.code, bawaslu.code, "M02")
    assert (task["function"], task["status"]) == ("monitoring", "accepted")
    assert await assignments(bawaslu, task, "accountable") == {
        cast.owner.code: ("2024-08-20T02:00:00Z", "2024-08-22T04:00:00Z", "M01"),
        bawaslu.code: ("2024-08-22T04:00:00Z", None, "M02"),
    }


async def test_a_hand_over_replaces_the_supporters_and_who_stays_keeps_its_period(cast: Cast, bawaslu: Agency) -> None:
    logged = await cast.logger.log(effective_at="2024-08-19T08:00:00+07:00")
    accepted = await cast.owner.accept(logged, effective_at="2024-08-20T09:00:00+07:00")
    assert accepted["supporting"] == [
        "BAKESBANGPOL_KOTA_MALANG",
        "BAWASLU_KOTA_MALANG",
        "INSPEKTORAT_KOTA_MALANG",
    ]
    sent = await cast.owner.refer(logged["id"], to_agency=bawaslu.code, function="monitoring")
    await bawaslu.answer(sent.json()["id"], "accepted")
    task = await bawaslu.read(logged["id"])
    assert "BAKESBANGPOL_KOTA_MALANG" in task["supporting"]
    assert "INSPEKTORAT_KOTA_MALANG" not in task["supporting"]
    periods = await assignments(bawaslu, task, "supporting")
    assert periods["BAKESBANGPOL_KOTA_MALANG"][:2] == ("2024-08-19T01:00:00Z", None)
    accepted_at = (await assignments(bawaslu, task, "accountable"))[bawaslu.code][0]
    assert periods["INSPEKTORAT_KOTA_MALANG"][1] == accepted_at
    assert periods["BAWASLU_KOTA_MALANG"][1] == accepted_at
    assert set(task["supporting"]) == {agency for agency, (_, end, _) in periods.items() if end is None}


async def test_a_logger_chooses_supporters_only_from_those_of_the_mandate(bakesbangpol: Agency) -> None:
    chosen = await bakesbangpol.log(supporting=["INSPEKTORAT_KOTA_MALANG"])
    assert chosen["supporting"] == ["INSPEKTORAT_KOTA_MALANG"]
    body = {"title": "x", "description": "x", "category": "asn_neutrality", "function": "prevention", "region": "35.73"}
    refused = await bakesbangpol.post(
        "/v1/tasks", {**body, "supporting": ["INSPEKTORAT_KOTA_MALANG", "KODIM_0833_KOTA_MALANG"]}
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/supporting/1")


async def test_a_previous_owner_reads_what_it_worked_on_up_to_the_hand_over_and_a_summary_after(
    cast: Cast, bawaslu: Agency
) -> None:
    task = await cast.bring(Status.IN_PROGRESS)
    await cast.owner.post(f"/v1/tasks/{task['id']}/comments", {"body": "Sebelum pelimpahan"})
    task = await cast.refer(task, bawaslu)
    await bawaslu.accept(task)
    await bawaslu.move(task["id"], "start")
    await bawaslu.post(f"/v1/tasks/{task['id']}/comments", {"body": "Setelah pelimpahan"})
    seen = await cast.owner.read(task["id"])
    assert (seen["access"], seen["status"], seen["available_transitions"]) == ("summary", "in_progress", [])
    assert "description" not in seen
    past = (await cast.owner.get(f"/v1/tasks/{task['id']}/history")).json()
    assert [one["kind"] for one in past["items"]][-2:] == ["referral.sent", "referral.accepted"]
    said = (await cast.owner.get(f"/v1/tasks/{task['id']}/comments")).json()["items"]
    assert [one["body"] for one in said] == ["Sebelum pelimpahan"]
    whole = (await bawaslu.get(f"/v1/tasks/{task['id']}/history")).json()
    assert [one["kind"] for one in whole["items"]][-2:] == ["task.started", "task.commented"]
    for action in ("await_info", "cancel"):
        assert (await cast.owner.move(task["id"], action, reason="x")).json()["code"] == "permission-denied"


async def test_a_sender_that_retains_access_keeps_full_sight(cast: Cast, bawaslu: Agency) -> None:
    task = await cast.refer(await cast.bring(Status.ACCEPTED), bawaslu, retain_access=True)
    await bawaslu.accept(task)
    await bawaslu.move(task["id"], "start")
    seen = await cast.owner.read(task["id"])
    assert (seen["access"], seen["accountable"]) == ("full", bawaslu.code)
    past = (await cast.owner.get(f"/v1/tasks/{task['id']}/history")).json()
    assert past["items"][-1]["kind"] == "task.started"


async def test_a_task_that_comes_back_has_its_owner_twice_in_turn(cast: Cast, bawaslu: Agency) -> None:
    task = await cast.refer(await cast.bring(Status.ACCEPTED), bawaslu)
    await bawaslu.accept(task)
    back = await bawaslu.refer(task["id"], to_agency=cast.owner.code, function="prevention")
    assert back.status_code == 201, back.text
    await cast.owner.answer(back.json()["id"], "accepted")
    history = (await cast.owner.get(f"/v1/tasks/{task['id']}/history")).json()
    owned = [one for one in history["assignments"] if one["role"] == "accountable"]
    assert [one["agency"] for one in owned] == [cast.owner.code, bawaslu.code, cast.owner.code]
    assert [one["to_at"] for one in owned] == [*(one["from_at"] for one in owned[1:]), None]


async def test_history_tells_who_acted_by_which_client_and_for_whom(cast: Cast) -> None:
    task = await cast.bring(Status.ACCEPTED)
    etag = (await cast.owner.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    started = await cast.owner.post(
        f"/v1/tasks/{task['id']}/transitions", {"action": "start"}, etag=etag, headers={"Acting-User": "pegawai-17"}
    )
    assert started.status_code == 200
    history = (await cast.owner.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    fact = history[-1]
    assert (fact["kind"], fact["agency"], fact["acting_user"]) == ("task.started", cast.owner.code, "pegawai-17")
    assert fact["client"] == cast.owner.credentials["client_id"]
    assert history[0]["acting_user"] is None
