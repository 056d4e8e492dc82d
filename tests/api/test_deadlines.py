"""Clocks on tasks: told by their event, counted by the law, met, paused, extended, never edited."""

from __future__ import annotations

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support import Agency, SignIn

from app.settings import DATA

RULES = list(csv.DictReader((DATA / "deadlines.csv").read_text(encoding="utf-8").splitlines()))
REGISTERED = "2024-08-13T10:00:00+07:00"
CASE = {"category": "asn_neutrality", "function": "handling", "effective_at": "2024-08-12T10:00:00+07:00"}
ZONES = {"35.73": "+07:00", "73.71": "+08:00", "91.71": "+09:00"}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def case(kpu: Agency, bawaslu: Agency, **said: Any) -> dict[str, Any]:
    """A case that KPU logged and Bawaslu handles."""
    logged = await kpu.log(**{**CASE, **said})
    return await bawaslu.accept(logged, effective_at="2024-08-12T11:00:00+07:00")


async def start(who: Agency, task: dict[str, Any], event: str, at: str = REGISTERED, **more: Any) -> httpx.Response:
    body = {"clock_starts_at": event, "occurred_at": at, **more}
    return await who.post(f"/v1/tasks/{task['id']}/clock-starts", body)


async def started(who: Agency, task: dict[str, Any], event: str, at: str = REGISTERED) -> dict[str, Any]:
    answer = await start(who, task, event, at)
    assert answer.status_code == 201, answer.text
    (clock,) = answer.json()["deadlines"]
    return dict(clock)


async def move(who: Agency, clock: dict[str, Any], action: str, **said: Any) -> httpx.Response:
    """Move a clock with the ETag just read."""
    here = f"/v1/deadlines/{clock['id']}"
    etag = (await who.get(here)).headers.get("etag")
    return await who.post(f"{here}/transitions", {"action": action, **said}, etag=etag)


async def moved(who: Agency, clock: dict[str, Any], action: str, **said: Any) -> dict[str, Any]:
    answer = await move(who, clock, action, **said)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# starting


async def test_an_event_of_the_law_starts_its_clock_which_shows_how_it_was_counted(
    kpu: Agency, bawaslu: Agency
) -> None:
    task = await case(kpu, bawaslu)
    clock = await started(bawaslu, task, "report_registered")
    assert (clock["code"], clock["kind"], clock["status"]) == ("report_handling", "statutory", "running")
    assert moment(clock["due_at"]) == moment("2024-08-16T23:59:59+07:00")
    assert [(one["on"], one["count"], one["because"]) for one in clock["arithmetic"]] == [
        ("2024-08-13", 0, "start"),
        ("2024-08-14", 1, "counted"),
        ("2024-08-15", 2, "counted"),
        ("2024-08-16", 3, "counted"),
    ]
    assert [(one["instrument"], one["article"]) for one in clock["legal_basis"]] == [("uu_1_2015", "134(5)")]
    assert (clock["provisional"], clock["time_zone"]) == (False, "Asia/Jakarta")
    assert clock["calendar_version"] == (await kpu.get("/v1/calendar")).json()["version"]
    shown = await kpu.get(f"/v1/deadlines/{clock['id']}")
    assert {**shown.json(), "available_transitions": []} == {**clock, "available_transitions": []}
    of_task = (await kpu.get(f"/v1/tasks/{task['id']}/deadlines")).json()["items"]
    assert [one["id"] for one in of_task] == [clock["id"]]
    read = await bawaslu.read(task["id"])
    assert read["version"] == task["version"]
    assert (read["next_deadline"]["code"], read["next_deadline"]["open"]) == ("report_handling", 1)
    assert read["next_deadline"]["due_at"] == clock["due_at"]
    facts = (await bawaslu.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    assert [one["facts"]["code"] for one in facts if one["kind"] == "deadline.started"] == ["report_handling"]


async def test_only_what_the_law_lets_start_there_starts(kpu: Agency, bawaslu: Agency) -> None:
    task = await case(kpu, bawaslu)
    refused = await start(bawaslu, task, "petition_registered")
    assert (refused.status_code, refused.json()["code"]) == (422, "no-such-clock")
    assert "report_registered" in refused.json()["starts"]
    assert "petition_registered" not in refused.json()["starts"]
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    future = await start(bawaslu, task, "report_registered", later)
    assert (future.status_code, future.json()["errors"][0]["pointer"]) == (422, "/occurred_at")
    named = await start(bawaslu, task, "report_registered", codes=["report_handling_ext"])
    assert [one["code"] for one in named.json()["deadlines"]] == ["report_handling_ext"]
    unknown = await start(bawaslu, task, "report_registered", codes=["mk_decision"])
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/codes/0")
    assert (await bawaslu.get(f"/v1/tasks/{task['id']}/deadlines")).json()["items"][0]["code"] == "report_handling_ext"


async def test_a_day_that_the_law_fixes_is_told_before_it_comes(kpu: Agency) -> None:
    task = await kpu.log(category="ex_acting_head_candidacy", function="prevention", draft=True)
    clock = await started(kpu, task, "registration_day", "2029-08-27T00:00:00+07:00")
    assert moment(clock["due_at"]) == moment("2029-07-18T23:59:59+07:00")
    assert clock["arithmetic"][-1]["count"] == -40
    met = await moved(kpu, clock, "meet", note="Surat pengunduran diri")
    assert met["status"] == "met"


async def test_an_event_told_by_many_at_once_starts_one_clock(kpu: Agency, bawaslu: Agency) -> None:
    task = await case(kpu, bawaslu)
    answers = await asyncio.gather(
        *(
            start(who, task, "report_registered", at)
            for who in (kpu, bawaslu)
            for at in (REGISTERED, "2024-08-13T11:00:00+07:00")
        )
    )
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    assert {one.json()["code"] for one in answers if one.status_code == 409} == {"clock-running"}
    (clock,) = (await kpu.get(f"/v1/tasks/{task['id']}/deadlines")).json()["items"]
    await moved(bawaslu, clock, "meet", note="Putusan", effective_at="2024-08-15T14:00:00+07:00")
    again = await start(kpu, task, "report_registered", clock["started_at"])
    assert (again.status_code, again.json()["code"]) == (409, "clock-running")
    assert (await start(kpu, task, "report_registered", "2024-09-02T10:00:00+07:00")).status_code == 201


async def test_the_receipt_of_a_recommendation_starts_the_clock_of_kpu(kpu: Agency, bawaslu: Agency) -> None:
    matter = {"category": "admin_violation", "function": "handling", "event_at": "2024-10-01T08:00:00+07:00"}
    task = await bawaslu.log(**matter, effective_at="2024-10-02T08:00:00+07:00")
    sent = await bawaslu.refer(
        task["id"], to_agency=kpu.code, function="adjudication", effective_at="2024-10-04T09:00:00+07:00"
    )
    assert sent.status_code == 201, sent.text
    await kpu.answer(sent.json()["id"], "received", effective_at="2024-10-04T15:00:00+07:00")
    assert (await kpu.read(task["id"]))["next_deadline"] is None
    await kpu.answer(sent.json()["id"], "accepted", effective_at="2024-10-07T09:00:00+07:00")
    (clock,) = (await kpu.get(f"/v1/tasks/{task['id']}/deadlines")).json()["items"]
    assert clock["code"] == "admin_followup"
    assert moment(clock["started_at"]) == moment("2024-10-04T15:00:00+07:00")
    assert moment(clock["due_at"]) == moment("2024-10-11T23:59:59+07:00")
    fact = (await kpu.get(f"/v1/tasks/{task['id']}/history")).json()["items"][-1]
    assert (fact["kind"], fact["facts"]["referral"]) == ("deadline.started", sent.json()["id"])


async def test_a_referral_that_is_no_event_of_the_law_starts_nothing(bakesbangpol: Agency, bkpsdm: Agency) -> None:
    accepted = await bkpsdm.accept(await bakesbangpol.log())
    assert accepted["next_deadline"] is None
    assert (await bkpsdm.get(f"/v1/tasks/{accepted['id']}/deadlines")).json()["items"] == []


@pytest.mark.parametrize(("region", "offset"), ZONES.items())
async def test_days_end_in_the_zone_of_the_region(kpu: Agency, region: str, offset: str) -> None:
    task = await kpu.log(category="asn_neutrality", function="handling", region=region, draft=True)
    # half past eleven in the evening in Malang: the day after in Makassar and Jayapura
    clock = await started(kpu, task, "report_registered", "2024-08-13T23:30:00+07:00")
    day = 16 if offset == "+07:00" else 17
    assert moment(clock["due_at"]) == moment(f"2024-08-{day}T23:59:59{offset}")
    hours = await started(kpu, task, "crime_decided", "2024-08-13T23:30:00+07:00")
    assert moment(hours["due_at"]) == moment("2024-08-14T23:30:00+07:00")


# moving


async def test_a_clock_of_the_law_is_extended_once_and_by_a_supervisor(
    kpu: Agency, bawaslu: Agency, client_of: SignIn
) -> None:
    clock = await started(bawaslu, await case(kpu, bawaslu), "report_registered")
    officer = await client_of(bawaslu.code, "officer")
    said = {"reason": "Keterangan tambahan", "effective_at": "2024-08-16T15:00:00+07:00"}
    assert (await move(officer, clock, "extend", **said)).status_code == 403
    assert (await move(bawaslu, clock, "extend", effective_at="2024-08-16T15:00:00+07:00")).status_code == 422
    late = await move(bawaslu, clock, "extend", reason="Terlambat", effective_at="2024-08-17T00:00:00+07:00")
    assert (late.status_code, late.json()["errors"][0]["code"]) == (422, "too_late")
    extended = await moved(bawaslu, clock, "extend", **said)
    assert moment(extended["due_at"]) == moment("2024-08-18T23:59:59+07:00")
    assert [one["article"] for one in extended["legal_basis"]] == ["134(5)", "134(6)"]
    assert [one["because"] for one in extended["arithmetic"][-2:]] == ["extended", "extended"]
    again = await move(bawaslu, clock, "extend", **said)
    assert (again.status_code, again.json()["code"]) == (409, "transition-not-allowed")
    assert "extend" not in {one["action"] for one in again.json()["lawful"]}


async def test_a_clock_waits_for_the_reporter_two_days_at_most(kpu: Agency, bawaslu: Agency) -> None:
    task = await case(kpu, bawaslu)
    clock = await started(bawaslu, task, "report_registered")
    paused = await moved(
        bawaslu, clock, "pause", reason="Laporan belum lengkap", effective_at="2024-08-14T10:00:00+07:00"
    )
    assert (paused["status"], moment(paused["due_at"])) == ("paused", moment("2024-08-18T23:59:59+07:00"))
    resumed = await moved(bawaslu, clock, "resume", effective_at="2024-08-15T09:00:00+07:00")
    assert (resumed["status"], moment(resumed["due_at"])) == ("running", moment("2024-08-17T23:59:59+07:00"))
    assert [one["on"] for one in resumed["arithmetic"] if one["because"] == "paused"] == ["2024-08-14"]
    before = await move(bawaslu, clock, "pause", reason="Lagi", effective_at="2024-08-14T12:00:00+07:00")
    assert before.status_code == 422
    await moved(bawaslu, clock, "pause", reason="Lagi", effective_at="2024-08-16T12:00:00+07:00")
    last = await moved(bawaslu, clock, "resume", effective_at="2024-08-18T12:00:00+07:00")
    assert moment(last["due_at"]) == moment("2024-08-18T23:59:59+07:00")
    assert "pause" not in {one["action"] for one in last["available_transitions"]}
    crime = await started(bawaslu, task, "crime_decided", "2024-08-15T10:00:00+07:00")
    refused = await move(bawaslu, crime, "pause", reason="x", effective_at="2024-08-15T11:00:00+07:00")
    assert (refused.status_code, refused.json()["code"]) == (409, "transition-not-allowed")


@pytest.mark.parametrize(
    ("at", "status"), [("2024-08-16T23:59:59+07:00", "met"), ("2024-08-17T00:00:00+07:00", "breached")]
)
async def test_what_was_done_in_time_is_met_and_what_came_late_stays_breached(
    kpu: Agency, bawaslu: Agency, at: str, status: str
) -> None:
    task = await case(kpu, bawaslu)
    clock = await started(bawaslu, task, "report_registered")
    ended = await moved(bawaslu, clock, "meet", note="Surat penerusan 120/PM.00.02/2024", effective_at=at)
    assert (ended["status"], moment(ended["met_at"])) == (status, moment(at))
    assert (ended["breached_at"] is None) == (status == "met")
    assert ended["available_transitions"] == []
    assert (await bawaslu.read(task["id"]))["next_deadline"] is None
    facts = (await bawaslu.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    told = [one["kind"] for one in facts if one["kind"].startswith("deadline.")]
    assert sorted(told[1:]) == (["deadline.met"] if status == "met" else ["deadline.breached", "deadline.met"])
    again = await move(bawaslu, clock, "meet", note="Lagi")
    assert (again.status_code, again.json()["code"]) == (409, "transition-not-allowed")


async def test_nobody_edits_what_the_law_sets(kpu: Agency, bawaslu: Agency) -> None:
    clock = await started(bawaslu, await case(kpu, bawaslu), "report_registered")
    patch = {"due_at": "2024-09-30T12:00:00+07:00", "reason": "Perlu waktu"}
    refused = await bawaslu.patch(f"/v1/deadlines/{clock['id']}", patch, etag='"1"')
    assert (refused.status_code, refused.json()["code"]) == (409, "statutory-clock")
    assert {"meet", "extend", "void"} <= {one["action"] for one in refused.json()["lawful"]}
    for member in ("limit", "started_at", "status", "code"):
        wrong = await bawaslu.patch(f"/v1/deadlines/{clock['id']}", {**patch, member: 1}, etag='"1"')
        assert wrong.status_code == 422
    assert (await bawaslu.get(f"/v1/deadlines/{clock['id']}")).json() == clock


async def test_what_was_agreed_is_revised_with_a_reason(kpu: Agency, bawaslu: Agency) -> None:
    task = await case(kpu, bawaslu)
    here = f"/v1/tasks/{task['id']}/deadlines"
    agreed = {"started_at": "2024-11-20T09:00:00+07:00", "due_at": "2024-11-20T11:00:00+07:00", "reason": "Rakor"}
    assert (await kpu.post(here, {**agreed, "reason": None})).status_code == 422
    early = await kpu.post(here, {**agreed, "due_at": agreed["started_at"]})
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (422, "/due_at")
    made = await kpu.post(here, agreed)
    assert made.status_code == 201, made.text
    clock, place = made.json(), made.headers["location"]
    assert (clock["kind"], clock["code"], clock["arithmetic"]) == ("agreed", None, [])
    patch = {"due_at": "2024-11-20T14:00:00+07:00", "reason": "Ditunda"}
    assert (await bawaslu.patch(place, patch)).status_code == 428
    revised = await bawaslu.patch(place, patch, etag=made.headers["etag"])
    assert moment(revised.json()["due_at"]) == moment(patch["due_at"])
    stale = await kpu.patch(place, patch, etag=made.headers["etag"])
    assert (stale.status_code, stale.json()["code"]) == (412, "stale-version")
    facts = (await kpu.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    fact = next(one for one in facts if one["kind"] == "deadline.revised")
    assert (fact["facts"]["reason"], fact["agency"]) == ("Ditunda", bawaslu.code)
    assert moment(fact["facts"]["due_before"]) == moment(agreed["due_at"])


async def test_of_many_moves_with_one_etag_one_wins(kpu: Agency, bawaslu: Agency) -> None:
    clock = await started(bawaslu, await case(kpu, bawaslu), "report_registered")
    here = f"/v1/deadlines/{clock['id']}/transitions"
    bodies = [
        {"action": "meet", "note": "Surat", "effective_at": "2024-08-15T10:00:00+07:00"},
        {"action": "void", "reason": "Salah catat"},
        {"action": "extend", "reason": "Perlu waktu", "effective_at": "2024-08-15T10:00:00+07:00"},
        {"action": "pause", "reason": "Menunggu", "effective_at": "2024-08-14T10:00:00+07:00"},
    ]
    answers = await asyncio.gather(*(bawaslu.post(here, one, etag='"1"') for one in bodies))
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412]
    assert (await bawaslu.get(f"/v1/deadlines/{clock['id']}")).json()["version"] == 2


async def test_a_task_that_is_cancelled_calls_its_clocks_off(kpu: Agency, bawaslu: Agency) -> None:
    task = await case(kpu, bawaslu)
    clock = await started(bawaslu, task, "report_registered")
    assert (await bawaslu.move(task["id"], "cancel", reason="Salah catat")).status_code == 200
    ended = (await bawaslu.get(f"/v1/deadlines/{clock['id']}")).json()
    assert (ended["status"], ended["available_transitions"]) == ("void", [])
    late = await start(bawaslu, task, "crime_decided")
    assert (late.status_code, late.json()["code"]) == (409, "transition-not-allowed")
    facts = (await bawaslu.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    fact = next(one for one in facts if one["kind"] == "deadline.voided")
    assert (fact["facts"]["because"], fact["facts"]["was"]) == ("task_cancelled", "running")


# who sees what


async def test_clocks_are_seen_by_whoever_sees_the_whole_task(
    kpu: Agency, bakesbangpol: Agency, kodim: Agency, client_of: SignIn
) -> None:
    neighbour = await client_of("KPU_KAB_MALANG")
    matter = {"category": "asn_neutrality", "function": "prevention", "classification": "terbatas"}
    task = await bakesbangpol.log(**matter)
    made = await bakesbangpol.post(
        f"/v1/tasks/{task['id']}/deadlines", {"due_at": "2030-01-01T00:00:00+07:00", "reason": "Rakor"}
    )
    clock = made.json()
    here, listed = f"/v1/deadlines/{clock['id']}", f"/v1/deadlines?task={task['id']}"
    assert [one["id"] for one in (await bakesbangpol.get(listed)).json()["items"]] == [clock["id"]]
    for outsider in (kodim, neighbour, kpu):  # KPU coordinates: it sees the task's summary, without clocks
        assert (await outsider.get(here)).status_code == 404
        assert (await outsider.get(listed)).json()["items"] == []
        wrong = await outsider.post(f"{here}/transitions", {"action": "void", "reason": "x"}, etag='"1"')
        assert (wrong.status_code, wrong.json()["code"]) == (404, "not-found")
    summary = await kpu.get(f"/v1/tasks/{task['id']}/deadlines")
    assert (summary.status_code, summary.json()["code"]) == (403, "classification-denied")
    assert "next_deadline" not in await kpu.read(task["id"])
    asked = {"deadline_status": "running", "category": "asn_neutrality", "limit": 200}
    assert task["id"] not in {one["id"] for one in (await kpu.get("/v1/tasks", params=asked)).json()["items"]}
    assert task["id"] in {one["id"] for one in (await bakesbangpol.get("/v1/tasks", params=asked)).json()["items"]}
    etag = (await bakesbangpol.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    shared = await bakesbangpol.put(f"/v1/tasks/{task['id']}/shares/{kodim.code}", {"level": "full"}, etag=etag)
    assert shared.status_code == 200
    seen = (await kodim.get(here)).json()
    assert (seen["id"], seen["available_transitions"]) == (clock["id"], [])
    refused = await kodim.post(f"{here}/transitions", {"action": "meet", "note": "x"}, etag='"1"')
    assert (refused.status_code, refused.json()["permission"]) == (403, "deadline.meet")
    started_by_guest = await start(kodim, task, "report_registered")
    assert (started_by_guest.status_code, started_by_guest.json()["permission"]) == (403, "deadline.start")


async def test_the_list_is_filtered_and_goes_on_page_by_page(kpu: Agency, bawaslu: Agency) -> None:
    task = await case(kpu, bawaslu)
    registered = await started(bawaslu, task, "report_registered")
    crime = await started(bawaslu, task, "crime_decided", "2024-08-15T10:00:00+07:00")
    known = await started(bawaslu, task, "violation_known", "2024-08-10T10:00:00+07:00")
    await moved(bawaslu, known, "meet", note="Laporan", effective_at="2024-08-12T10:00:00+07:00")

    async def found(**asked: Any) -> list[str]:
        answer = await bawaslu.get("/v1/deadlines", params={"task": task["id"], **asked})
        assert answer.status_code == 200, answer.text
        return [one["code"] for one in answer.json()["items"]]

    assert await found() == ["crime_forward", "report_handling", "report_filing"]
    assert await found(sort="-due_at") == ["report_filing", "report_handling", "crime_forward"]
    assert await found(status="met,breached") == ["report_filing"]
    assert await found(code="crime_forward") == ["crime_forward"]
    assert await found(kind="agreed") == []
    assert await found(accountable=bawaslu.code, region="35") == await found()
    assert await found(region="35.07") == []
    assert await found(due_after=crime["due_at"], due_before=registered["due_at"]) == ["crime_forward"]
    first = (await bawaslu.get("/v1/deadlines", params={"task": task["id"], "limit": 2})).json()
    cursor = {"task": task["id"], "limit": 2, "cursor": first["next_cursor"]}
    assert [one["code"] for one in (await bawaslu.get("/v1/deadlines", params=cursor)).json()["items"]] == [
        "report_filing"
    ]
    mixed = await bawaslu.get("/v1/deadlines", params={**cursor, "sort": "-due_at"})
    assert (mixed.status_code, mixed.json()["code"]) == (400, "cursor-mismatch")
    then = await bawaslu.get("/v1/tasks", params={"deadline_status": "met", "as_of": "2024-09-01T00:00:00+07:00"})
    assert (then.status_code, then.json()["errors"][0]["parameter"]) == (400, "deadline_status")


# the dry run


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["code"]))
async def test_every_limit_of_the_law_is_counted_and_explained_for_any_region(
    kpu: Agency, rule: dict[str, Any]
) -> None:
    for region, offset in ZONES.items():
        asked = {"code": rule["code"], "region": region, "started_at": f"2024-11-25T10:00:00{offset}"}
        answer = await kpu.get("/v1/deadlines/computation", params=asked)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["arithmetic"][0] == {"on": "2024-11-25", "count": 0, "because": "start", "holiday": None}
        assert found["arithmetic"][-1]["count"] == int(rule["limit"])
        assert (found["limit"], found["unit"], found["provisional"]) == (int(rule["limit"]), rule["unit"], False)
        assert [one["instrument"] for one in found["legal_basis"]] == [rule["instrument_id"]][
            : bool(rule["instrument_id"])
        ]
        due = moment(found["due_at"])
        if rule["unit"] == "hour":
            assert due - moment(asked["started_at"]) == timedelta(hours=int(rule["limit"]))
        else:
            last = moment(f"{found['arithmetic'][-1]['on']}T23:59:59{offset}")
            assert due == last


async def test_the_dry_run_extends_pauses_and_says_what_is_provisional(kpu: Agency) -> None:
    asked = {"code": "report_handling", "region": "35.73", "started_at": REGISTERED}
    place = "/v1/deadlines/computation"
    extended = (await kpu.get(place, params={**asked, "extended": "true"})).json()
    assert moment(extended["due_at"]) == moment("2024-08-18T23:59:59+07:00")
    assert [one["article"] for one in extended["legal_basis"]] == ["134(5)", "134(6)"]
    waits = {"paused_from": "2024-08-14T10:00:00+07:00", "resumed_at": "2024-08-15T10:00:00+07:00"}
    paused = (await kpu.get(place, params={**asked, **waits})).json()
    assert moment(paused["due_at"]) == moment("2024-08-17T23:59:59+07:00")
    later = {"code": "dispute_filing", "region": "35.73", "started_at": "2026-12-23T10:00:00+07:00"}
    found = (await kpu.get(place, params=later)).json()
    assert found["provisional"]
    assert "2026-12-25" in {one["on"] for one in found["arithmetic"] if one["because"] == "holiday"}
    for wrong, name in (
        ({"code": "nothing"}, "code"),
        ({"region": "99.99"}, "region"),
        ({"code": "crime_forward", "extended": "true"}, "extended"),
        ({"code": "crime_forward", **waits}, "paused_from"),
        ({"resumed_at": waits["resumed_at"]}, "resumed_at"),
        ({"paused_from": "2024-08-01T10:00:00+07:00"}, "paused_from"),
        ({"started_at": "2024-08-13"}, "started_at"),
    ):
        refused = await kpu.get(place, params={**asked, **wrong})
        assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, name), wrong
