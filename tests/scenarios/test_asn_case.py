"""SC-01 and SC-02 as one story: Bawaslu handles a civil servant's case and KASN, then BKN, decides."""

from __future__ import annotations

from typing import Any

import pytest
from scenarios.story import moment
from scenarios.world import World
from support import Agency

Json = dict[str, Any]

LETTER = {
    "number": "123/PM.00.02/K.JI-34/08/2024",
    "date": "2024-08-15",
    "classification": "rahasia",
    "urgency": "segera",
}
REPLY = {"number": "B-3021/JP.01/08/2024", "date": "2024-08-16", "classification": None, "urgency": None}
REPORTED = "2024-08-12T10:00:00+07:00"
REFERRED = "2024-08-15T14:00:00+07:00"
ANSWERED = "2024-08-16T09:00:00+07:00"
LAST_SECOND = "2024-08-23T23:59:59+07:00"
MIDNIGHT = "2024-08-24T00:00:00+07:00"


@pytest.fixture
async def bawaslu(world: World) -> Agency:
    return await world.agency("BAWASLU_KOTA_MALANG")


async def _handled(bawaslu: Agency) -> Json:
    """Bawaslu logs the report, is itself competent, and has begun."""
    logged = await bawaslu.log(
        title="Unggahan pejabat kota mendukung bakal calon",
        category="asn_neutrality",
        function="handling",
        subject_kind="city_official",
        event_at="2024-08-10T19:00:00+07:00",
        effective_at=REPORTED,
    )
    assert (logged["status"], logged["accountable"], logged["mandate"]) == ("accepted", bawaslu.code, "M03")
    begun = await bawaslu.move(logged["id"], "start", effective_at="2024-08-13T10:00:00+07:00")
    return dict(begun.json())


async def _referred_to_kasn(bawaslu: Agency) -> tuple[Json, Json]:
    case = await _handled(bawaslu)
    sent = await bawaslu.refer(
        case["id"], to_agency="KASN", function="adjudication", letter=LETTER, effective_at=REFERRED
    )
    assert sent.status_code == 201, sent.text
    return case, sent.json()


async def test_the_case_goes_to_kasn_by_letter_and_its_history_names_both_owners(bawaslu: Agency) -> None:
    case, referral = await _referred_to_kasn(bawaslu)
    assert (referral["status"], referral["mandate"], referral["letter"]) == ("sent", "M05", LETTER)
    assert (await bawaslu.read(case["id"]))["accountable"] == bawaslu.code
    answer = await bawaslu.answer(referral["id"], "accepted", letter=REPLY, effective_at=ANSWERED)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["recorded_by_sender"], answer.json()["answer_letter"]) == (True, REPLY)
    accepted = await bawaslu.read(case["id"])
    assert {name: accepted[name] for name in ("status", "accountable", "holder", "mandate", "function")} == {
        "status": "accepted",
        "accountable": "KASN",
        "holder": "KASN",
        "mandate": "M05",
        "function": "adjudication",
    }
    history = (await bawaslu.get(f"/v1/tasks/{case['id']}/history")).json()
    owners = [
        (one["agency"], one["mandate"], moment(one["from_at"]), one["to_at"] and moment(one["to_at"]))
        for one in history["assignments"]
        if one["role"] == "accountable"
    ]
    assert owners == [
        (bawaslu.code, "M03", moment(REPORTED), moment(ANSWERED)),
        ("KASN", "M05", moment(ANSWERED), None),
    ]
    facts = [(one["kind"], moment(one["effective_at"])) for one in history["items"]]
    assert facts == [
        ("task.logged", moment(REPORTED)),
        ("task.started", moment("2024-08-13T10:00:00+07:00")),
        ("referral.sent", moment(REFERRED)),
        ("referral.accepted", moment(ANSWERED)),
    ]
    assert {one["agency"] for one in history["items"]} == {bawaslu.code}
    assert history["items"][-1]["facts"]["recorded_by_sender"] is True


async def test_an_answer_by_letter_needs_the_letter_and_the_senders_supervisor(world: World, bawaslu: Agency) -> None:
    case, referral = await _referred_to_kasn(bawaslu)
    moves = (await bawaslu.read(case["id"]))["available_transitions"]
    assert [one["requires"] for one in moves if one["action"] == "accept"] == [["letter"]]
    bare = await bawaslu.answer(referral["id"], "accepted", effective_at=ANSWERED)
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/letter")
    officer = await Agency(world.http, bawaslu.credentials).sign_in(scope="officer")
    lesser = await officer.answer(referral["id"], "accepted", letter=REPLY, effective_at=ANSWERED)
    assert (lesser.status_code, lesser.json()["code"]) == (403, "permission-denied")
    kpu = await world.agency("KPU_KOTA_MALANG")
    stranger = {"answer": "accepted", "letter": REPLY, "effective_at": ANSWERED}
    assert (await kpu.post(f"/v1/referrals/{referral['id']}/response", stranger, etag='"1"')).status_code == 404
    assert (await bawaslu.read(case["id"]))["accountable"] == bawaslu.code


async def test_kasn_accepts_until_the_last_second_of_its_existence_and_not_after(bawaslu: Agency) -> None:
    case, referral = await _referred_to_kasn(bawaslu)
    late = await bawaslu.answer(referral["id"], "accepted", letter=REPLY, effective_at=MIDNIGHT)
    assert (late.status_code, late.json()["code"]) == (409, "mandate-mismatch")
    assert (late.json()["competent_agency"], late.json()["mandate"]) == ("BKN", "M06")
    in_time = await bawaslu.answer(referral["id"], "accepted", letter=REPLY, effective_at=LAST_SECOND)
    assert in_time.status_code == 200, in_time.text
    assert (await bawaslu.read(case["id"]))["accountable"] == "KASN"


async def test_from_24_august_another_case_goes_to_bkn_and_kasn_is_refused(bawaslu: Agency) -> None:
    case = await _handled(bawaslu)
    asked = {"function": "adjudication", "letter": LETTER, "effective_at": MIDNIGHT}
    refused = await bawaslu.refer(case["id"], to_agency="KASN", **asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "mandate-mismatch")
    assert {name: refused.json()[name] for name in ("agency", "competent_agency", "mandate", "valid_from")} == {
        "agency": "KASN",
        "competent_agency": "BKN",
        "mandate": "M06",
        "valid_from": "2024-08-24",
    }
    assert (await bawaslu.read(case["id"]))["open_referral"] is None
    sent = await bawaslu.refer(case["id"], to_agency="BKN", **asked)
    assert (sent.status_code, sent.json()["to_agency"], sent.json()["mandate"]) == (201, "BKN", "M06")


async def test_who_was_accountable_at_the_last_second_of_kasn_and_who_from_midnight_on(bawaslu: Agency) -> None:
    case, referral = await _referred_to_kasn(bawaslu)
    etag = (await bawaslu.get(f"/v1/referrals/{referral['id']}")).headers["etag"]
    taken_back = {"reason": "KASN berakhir.", "effective_at": LAST_SECOND}
    withdrawn = await bawaslu.post(f"/v1/referrals/{referral['id']}/withdrawal", taken_back, etag=etag)
    assert withdrawn.status_code == 200, withdrawn.text
    sent = await bawaslu.refer(
        case["id"], to_agency="BKN", function="adjudication", letter=LETTER, effective_at=MIDNIGHT
    )
    accepted = await bawaslu.answer(sent.json()["id"], "accepted", letter=REPLY, effective_at=MIDNIGHT)
    assert accepted.status_code == 200, accepted.text
    stood = {}
    for at in (ANSWERED, LAST_SECOND, MIDNIGHT):
        then = (await bawaslu.get(f"/v1/tasks/{case['id']}", params={"as_of": at})).json()
        asked = (then["open_referral"] or {}).get("to_agency")
        stood[at] = (then["status"], then["accountable"], then["mandate"], then["function"], asked)
        listed = await bawaslu.get("/v1/tasks", params={"as_of": at, "accountable": then["accountable"], "limit": 200})
        assert case["id"] in {one["id"] for one in listed.json()["items"]}
    assert stood == {
        ANSWERED: ("in_progress", bawaslu.code, "M03", "handling", "KASN"),
        LAST_SECOND: ("in_progress", bawaslu.code, "M03", "handling", None),
        MIDNIGHT: ("accepted", "BKN", "M06", "adjudication", None),
    }


async def test_an_acceptance_is_never_earlier_than_what_it_answers(bawaslu: Agency) -> None:
    case, referral = await _referred_to_kasn(bawaslu)
    early = await bawaslu.answer(referral["id"], "accepted", letter=REPLY, effective_at=REPORTED)
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (422, "/effective_at")
    same = await bawaslu.answer(referral["id"], "accepted", letter=REPLY, effective_at=REFERRED)
    assert same.status_code == 200, same.text
    assert (await bawaslu.read(case["id"]))["accountable"] == "KASN"


async def test_a_case_handed_on_at_the_instant_it_came_keeps_one_owner(bawaslu: Agency) -> None:
    case = await bawaslu.log(category="asn_neutrality", function="handling", effective_at=REFERRED)
    sent = await bawaslu.refer(case["id"], to_agency="KASN", function="adjudication", effective_at=REFERRED)
    answer = await bawaslu.answer(sent.json()["id"], "accepted", letter=REPLY, effective_at=REFERRED)
    assert answer.status_code == 200, answer.text
    history = (await bawaslu.get(f"/v1/tasks/{case['id']}/history")).json()
    owners = [(one["agency"], moment(one["from_at"])) for one in history["assignments"] if one["role"] == "accountable"]
    assert owners == [("KASN", moment(REFERRED))]


async def test_a_returned_case_may_only_suggest_who_is_competent_for_it(world: World, bawaslu: Agency) -> None:
    polda = await world.agency("POLDA_JATIM")
    proven = "2024-10-24T10:00:00+07:00"
    said = {"category": "polri_neutrality", "function": "handling", "subject_kind": "police_officer_city"}
    case = await bawaslu.log(**said, effective_at="2024-10-20T10:00:00+07:00")
    asked = {"function": "sanction", "variant": "discipline", "effective_at": proven}
    sent = await bawaslu.refer(case["id"], to_agency=polda.code, **asked)
    returned = {"reason": "Bukan anggota kami", "effective_at": proven}
    wrong = await polda.answer(sent.json()["id"], "returned", suggested_agency="KODIM_0833_KOTA_MALANG", **returned)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "mandate-mismatch")
    assert (wrong.json()["competent_agency"], wrong.json()["mandate"]) == (polda.code, "M17a")
    right = await polda.answer(sent.json()["id"], "returned", suggested_agency=bawaslu.code, **returned)
    assert (right.json()["status"], right.json()["suggested_agency"]) == ("returned", bawaslu.code)
    assert (await bawaslu.read(case["id"]))["status"] == "accepted"  # it never left its owner
