"""Referrals (pelimpahan): the only way a task changes hands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from stories import LETTER, Cast, actions
from support import Agency

from app.rules.vocabulary import Status

ClientOf = Callable[..., Awaitable[Agency]]
CRIME = {"category": "money_politics", "function": "handling", "variant": "crime"}


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


async def withdraw(agency: Agency, referral: str) -> Any:
    etag = (await agency.get(f"/v1/referrals/{referral}")).headers["etag"]
    return await agency.post(f"/v1/referrals/{referral}/withdrawal", {"reason": "Keliru"}, etag=etag)


# to whom


async def test_a_referral_to_an_agency_without_the_mandate_names_the_competent_one(cast: Cast) -> None:
    task = await cast.bring(Status.ACCEPTED)
    refused = await cast.owner.refer(task["id"], to_agency="KODIM_0833_KOTA_MALANG", function="monitoring")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["refusal_kind"]) == (
        409,
        "mandate-mismatch",
        "out_of_mandate",
    )
    assert (problem["competent_agency"], problem["mandate"]) == ("BAWASLU_KOTA_MALANG", "M02")
    assert {one["instrument"] for one in problem["legal_basis"]} == {"uu_1_2015", "perbawaslu_6_2018"}
    assert problem["valid_from"] == "2018-01-01"
    assert (await cast.owner.read(task["id"]))["open_referral"] is None


@pytest.mark.parametrize(
    ("said", "code", "kind"),
    [
        ({"to_agency": "FORKOPIMDA_KOTA_MALANG"}, "mandate-mismatch", "not_accountable_type"),
        ({"to_agency": "BAWASLU_KAB_MALANG", "function": "monitoring"}, "mandate-mismatch", "out_of_region"),
        ({"to_agency": "POLRESTA_MALANG_KOTA", "function": "security"}, "mandate-gap", "no_competent_agency"),
        ({"to_agency": "BAKESBANGPOL_KOTA_MALANG", "function": "adjudication"}, "recusal", "own_case"),
    ],
)
async def test_a_referral_is_refused_for_the_reasons_of_the_law(
    said: dict[str, str], code: str, kind: str, cast: Cast
) -> None:
    task = await cast.bring(Status.ACCEPTED)
    refused = await cast.owner.refer(task["id"], **said)
    assert (refused.json()["code"], refused.json()["refusal_kind"]) == (code, kind)
    assert (await cast.owner.read(task["id"]))["version"] == task["version"]


async def test_a_referral_to_nobody_known_is_refused_at_its_place(cast: Cast) -> None:
    task = await cast.bring(Status.ACCEPTED)
    refused = await cast.owner.refer(task["id"], to_agency="NOBODY_AT_ALL")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/to_agency")


async def test_a_forum_is_never_proposed_as_owner(bakesbangpol: Agency) -> None:
    body = {"title": "Rakor", "description": "Rakor", "category": "asn_neutrality", "function": "prevention"}
    refused = await bakesbangpol.post(
        "/v1/tasks", {**body, "region": "35.73", "proposed_owner": "FORKOPIMDA_KOTA_MALANG"}
    )
    assert (refused.status_code, refused.json()["refusal_kind"]) == (409, "not_accountable_type")


# while it is open


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.AWAITING_INFO, Status.ACCEPTED])
async def test_an_open_referral_halts_referring_resolving_and_cancelling(
    status: Status, cast: Cast, bawaslu: Agency
) -> None:
    task = await cast.refer(await cast.bring(status), bawaslu)
    tries = [
        await cast.owner.refer(task["id"], to_agency=bawaslu.code, function="monitoring"),
        await cast.owner.move(task["id"], "cancel", reason="Ganda"),
    ]
    if status is Status.IN_PROGRESS:
        tries.append(await cast.owner.move(task["id"], "resolve", outcome="mitigated", note="x", facts={}))
    for refused in tries:
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["to_agency"]) == (409, "referral-open", bawaslu.code)
    assert actions(task).isdisjoint({"refer", "cancel", "resolve"})
    assert (await cast.owner.read(task["id"]))["version"] == task["version"]


async def test_the_owner_works_on_while_its_referral_waits(cast: Cast, bawaslu: Agency) -> None:
    task = await cast.refer(await cast.bring(Status.ACCEPTED), bawaslu)
    started = (await cast.owner.move(task["id"], "start")).json()
    assert (started["status"], started["accountable"]) == ("in_progress", cast.owner.code)
    assert started["open_referral"]["to_agency"] == bawaslu.code


# answers


async def test_a_return_needs_its_reason(cast: Cast) -> None:
    task = await cast.bring(Status.ASSIGNED)
    refused = await cast.owner.answer(task["open_referral"]["id"], "returned")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reason")
    assert (await cast.owner.read(task["id"]))["open_referral"]["status"] == "sent"


async def test_a_return_may_suggest_a_competent_agency_and_no_other(cast: Cast) -> None:
    task = await cast.bring(Status.ASSIGNED)
    referral = task["open_referral"]["id"]
    refused = await cast.owner.answer(referral, "returned", reason="Bukan kami", suggested_agency="BPBD_KOTA_MALANG")
    assert (refused.status_code, refused.json()["code"]) == (409, "mandate-mismatch")
    unknown = await cast.owner.answer(referral, "returned", reason="Bukan kami", suggested_agency="NOBODY")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/suggested_agency")
    assert (await cast.logger.read(task["id"]))["status"] == "assigned"
    returned = await cast.owner.answer(
        referral, "returned", reason="Perlu kajian", suggested_agency="BAWASLU_KOTA_MALANG", letter=LETTER
    )
    answer = (await cast.logger.get(f"/v1/referrals/{referral}")).json()
    assert answer == {**returned.json(), "available_transitions": []}
    assert (answer["status"], answer["reason"], answer["suggested_agency"], answer["answer_letter"]["number"]) == (
        "returned",
        "Perlu kajian",
        "BAWASLU_KOTA_MALANG",
        LETTER["number"],
    )


async def test_who_returned_a_task_keeps_a_summary_until_it_is_sent_again(cast: Cast) -> None:
    task = await cast.bring(Status.RETURNED)
    assert (await cast.owner.read(task["id"]))["access"] == "summary"
    sent = await cast.logger.refer(task["id"], to_agency=cast.owner.code, letter=LETTER)
    assert sent.json()["letter"]["number"] == LETTER["number"]
    accepted = await cast.owner.accept(await cast.logger.read(task["id"]))
    assert (accepted["access"], accepted["status"], accepted["accountable"]) == ("full", "accepted", cast.owner.code)
    listed = (await cast.logger.get(f"/v1/tasks/{task['id']}/referrals")).json()["items"]
    assert [one["status"] for one in listed] == ["accepted", "returned"]


async def test_a_withdrawn_referral_can_no_longer_be_answered(cast: Cast) -> None:
    task = await cast.bring(Status.ASSIGNED)
    referral = task["open_referral"]["id"]
    assert (await withdraw(cast.logger, referral)).json()["status"] == "withdrawn"
    after = await cast.logger.read(task["id"])
    assert (after["status"], after["open_referral"], after["holder"]) == ("returned", None, cast.logger.code)
    for answer in ("received", "accepted", "returned"):
        refused = await cast.owner.answer(referral, answer, reason="Terlambat")
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["lawful"]) == (409, "transition-not-allowed", [])
        assert problem["current"] == "withdrawn"
    assert (await withdraw(cast.logger, referral)).json()["code"] == "transition-not-allowed"


async def test_only_the_receiver_answers_and_only_the_sender_withdraws(
    cast: Cast, bawaslu: Agency, kodim: Agency
) -> None:
    referral = (await cast.bring(Status.ASSIGNED))["open_referral"]["id"]
    for caller in (cast.logger, bawaslu):
        refused = await caller.answer(referral, "accepted")
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["agency"]) == (403, "not-your-referral", cast.owner.code)
    for caller in (cast.owner, bawaslu):
        refused = await withdraw(caller, referral)
        assert (refused.status_code, refused.json()["code"]) == (403, "not-your-referral")
    assert (await kodim.get(f"/v1/referrals/{referral}")).status_code == 404
    assert (await kodim.post(f"/v1/referrals/{referral}/response", {"answer": "accepted"}, etag='"1"')).json()[
        "code"
    ] == "not-found"


async def test_a_viewer_of_the_receiver_does_not_answer(cast: Cast, bkpsdm: Agency) -> None:
    referral = (await cast.bring(Status.ASSIGNED))["open_referral"]["id"]
    viewer = await Agency(bkpsdm.http, bkpsdm.credentials).sign_in(scope="viewer")
    refused = await viewer.answer(referral, "accepted")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied")


# receivers that do not use the service, joint centres, agencies that ended


async def bpbd(operator: Agency, code: str, region: str, **said: Any) -> str:
    """An agency of our own: the disaster agency of a city, which the nation-wide matrix makes watch the weather."""
    body = {"code": code, "office": "BPBD", "tier": "city", "name_id": code, "type": "local_government_unit"}
    made = await operator.post(
        "/v1/agencies", {**body, "level": "city", "region_code": region, "regions": [region], **said}
    )
    assert made.status_code == 201, made.text
    return code


WEATHER = {"category": "hydrometeorological", "function": "monitoring"}


async def test_a_receiver_without_clients_answers_by_letter_which_the_sender_s_supervisor_records(
    operator: Agency, bakesbangpol: Agency, kpu: Agency, client_of: ClientOf
) -> None:
    receiver = await bpbd(operator, "BPBD_KOTA_SABANG", "11.72")
    task = await bakesbangpol.log(**WEATHER, region="11.72")
    referral = task["open_referral"]["id"]
    offered = {one["action"]: one["requires"] for one in task["available_transitions"]}
    assert (offered["accept"], offered["return"]) == (["letter"], ["reason", "letter"])
    officer = await Agency(bakesbangpol.http, bakesbangpol.credentials).sign_in(scope="officer")
    denied = await officer.answer(referral, "accepted", letter=LETTER)
    assert (denied.status_code, denied.json()["permission"]) == (403, "referral.record_answer")
    bare = await bakesbangpol.answer(referral, "received")
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/letter")
    accepted = (await bakesbangpol.answer(referral, "accepted", letter=LETTER)).json()
    assert (accepted["recorded_by_sender"], accepted["answer_letter"]["date"]) == (True, LETTER["date"])
    after = await bakesbangpol.read(task["id"])
    assert (after["accountable"], after["holder"]) == (receiver, receiver)
    second = await bakesbangpol.log(**WEATHER, region="11.72")
    await client_of(receiver, "officer")
    refused = await bakesbangpol.answer(second["open_referral"]["id"], "accepted", letter=LETTER)
    assert (refused.status_code, refused.json()["code"]) == (403, "not-your-referral")
    assert (await kpu.get(f"/v1/tasks/{task['id']}")).status_code == 404


async def test_an_agency_that_ended_meanwhile_cannot_accept_and_hears_who_is_competent_now(
    operator: Agency, bakesbangpol: Agency, client_of: ClientOf
) -> None:
    ended = await bpbd(operator, "BPBD_LANGSA_LAMA", "11.74", valid_to="2024-08-24")
    successor = await bpbd(operator, "BPBD_LANGSA", "11.74", valid_from="2024-08-24")
    old = await client_of(ended)
    task = await bakesbangpol.log(**WEATHER, region="11.74", effective_at="2024-08-23T10:00:00+07:00")
    referral = task["open_referral"]["id"]
    assert task["open_referral"]["to_agency"] == ended
    late = await old.answer(referral, "accepted", effective_at="2024-08-24T00:00:00+07:00")
    assert (late.status_code, late.json()["code"]) == (409, "mandate-mismatch")
    assert late.json()["competent_agency"] == successor
    in_time = await old.answer(referral, "accepted", effective_at="2024-08-23T23:59:59+07:00")
    assert in_time.json()["status"] == "accepted"


async def test_a_joint_centre_acts_through_the_clients_of_its_members(
    bakesbangpol: Agency, polresta: Agency, bawaslu: Agency, kodim: Agency
) -> None:
    task = await bakesbangpol.log(**CRIME)
    assert task["open_referral"]["to_agency"] == "GAKKUMDU_KOTA_MALANG"
    assert (await kodim.get(f"/v1/tasks/{task['id']}")).status_code == 404
    assert "accept" in actions(await polresta.read(task["id"]))
    accepted = await polresta.accept(task)
    assert (accepted["accountable"], accepted["holder"]) == ("GAKKUMDU_KOTA_MALANG",) * 2
    assert (await bawaslu.move(task["id"], "start")).json()["status"] == "in_progress"
    resolved = await polresta.move(task["id"], "resolve", outcome="not_proven", note="Tidak cukup bukti")
    assert resolved.json()["status"] == "resolved"
    history = (await bakesbangpol.get(f"/v1/tasks/{task['id']}/history")).json()
    acted = {one["kind"]: one["agency"] for one in history["items"]}
    assert (acted["referral.accepted"], acted["task.started"]) == (polresta.code, bawaslu.code)
    owners = [one["agency"] for one in history["assignments"] if one["role"] == "accountable"]
    assert owners == ["GAKKUMDU_KOTA_MALANG"]
