"""How work ends: its outcome and facts, four eyes, cancelling, drafts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from stories import Cast, actions
from support import Agency

from app.rules.vocabulary import Status

ClientOf = Callable[..., Awaitable[Agency]]
DONE = {"outcome": "mitigated", "note": "Selesai", "facts": {"participants": 642}}


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


@pytest.mark.parametrize(
    ("left_out", "pointer"), [("outcome", "/outcome"), ("note", "/note"), ("facts", "/facts/participants")]
)
async def test_resolving_needs_outcome_note_and_the_facts_that_the_matter_asks_for(
    left_out: str, pointer: str, cast: Cast
) -> None:
    task = await cast.bring(Status.IN_PROGRESS)
    said = {member: content for member, content in DONE.items() if member != left_out}
    refused = await cast.owner.move(task["id"], "resolve", **said)
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    assert (await cast.owner.read(task["id"]))["status"] == "in_progress"


async def test_resolving_with_the_wrong_facts_names_the_missing_one(cast: Cast) -> None:
    task = await cast.bring(Status.IN_PROGRESS)
    refused = await cast.owner.move(task["id"], "resolve", **{**DONE, "facts": {"banners": 3}})
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/facts/participants"]


@pytest.mark.parametrize("action", ["confirm", "reject_outcome"])
async def test_who_resolved_never_judges_it_even_when_its_agency_logged_the_task(
    action: str, bkpsdm: Agency, client_of: ClientOf
) -> None:
    task = await bkpsdm.log()
    assert (task["status"], task["accountable"]) == ("accepted", bkpsdm.code)
    await bkpsdm.move(task["id"], "start")
    resolved = (await bkpsdm.move(task["id"], "resolve", **DONE)).json()
    assert action not in actions(resolved)
    refused = await bkpsdm.move(task["id"], action, reason="Sendiri")
    assert (refused.status_code, refused.json()["code"]) == (422, "four-eyes")
    colleague = await client_of(bkpsdm.code)
    assert action in actions(await colleague.read(task["id"]))
    assert (await colleague.move(task["id"], action, reason="Diperiksa")).status_code == 200


@pytest.mark.parametrize(("action", "leads_to"), [("confirm", "closed"), ("reject_outcome", "in_progress")])
async def test_a_coordinator_that_owned_the_work_does_not_judge_what_its_client_resolved(
    action: str, leads_to: str, bakesbangpol: Agency, bawaslu: Agency, kpu: Agency
) -> None:
    logged = await bakesbangpol.log(function="monitoring")
    await bawaslu.accept(logged)
    await bawaslu.move(logged["id"], "start")
    await bawaslu.move(logged["id"], "resolve", outcome="no_incident", note="Tidak ada kejadian")
    assert action not in actions(await bawaslu.read(logged["id"]))
    refused = await bawaslu.move(logged["id"], action, reason="Sendiri")
    assert (refused.status_code, refused.json()["code"]) == (422, "four-eyes")
    assert (await kpu.move(logged["id"], action, reason="Diperiksa")).json()["status"] == leads_to


async def test_an_officer_of_the_logger_does_not_confirm(cast: Cast, bakesbangpol: Agency) -> None:
    task = await cast.bring(Status.RESOLVED)
    officer = await Agency(bakesbangpol.http, bakesbangpol.credentials).sign_in(scope="officer")
    refused = await officer.move(task["id"], "confirm")
    assert (refused.status_code, refused.json()["permission"]) == (403, "task.confirm")


@pytest.mark.parametrize(
    ("status", "action", "who"),
    [
        (Status.RESOLVED, "reject_outcome", "logger"),
        (Status.CLOSED, "reopen", "logger"),
        (Status.CLOSED, "reopen", "owner"),
    ],
)
async def test_work_taken_up_again_has_no_outcome_but_its_history_keeps_it(
    status: Status, action: str, who: str, cast: Cast
) -> None:
    task = await cast.bring(status)
    assert (task["outcome"], task["facts"]) == ("mitigated", {"participants": 642})
    caller = cast.logger if who == "logger" else cast.owner
    missing = await caller.move(task["id"], action)
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/reason")
    again = (await caller.move(task["id"], action, reason="Belum semua hadir")).json()
    assert again["status"] == "in_progress"
    assert (again["outcome"], again["note"], again["facts"]) == (None, None, {})
    history = (await cast.logger.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    (resolved,) = [one for one in history if one["kind"] == "task.resolved"]
    assert resolved["facts"]["facts"] == {"participants": 642}
    assert (await cast.owner.move(task["id"], "resolve", **DONE)).json()["status"] == "resolved"


# cancelling


@pytest.mark.parametrize("status", [Status.DRAFT, Status.ASSIGNED, Status.RETURNED])
async def test_before_acceptance_an_officer_of_the_logger_cancels(
    status: Status, cast: Cast, bakesbangpol: Agency
) -> None:
    task = await cast.bring(status)
    officer = await Agency(bakesbangpol.http, bakesbangpol.credentials).sign_in(scope="officer")
    assert (await officer.move(task["id"], "cancel")).json()["errors"][0]["pointer"] == "/reason"
    cancelled = (await officer.move(task["id"], "cancel", reason="Ganda")).json()
    assert (cancelled["status"], cancelled["open_referral"], cancelled["accountable"]) == ("cancelled", None, None)
    assert actions(cancelled) == set()


async def test_cancelling_an_assigned_task_withdraws_its_referral(cast: Cast) -> None:
    task = await cast.bring(Status.ASSIGNED)
    await cast.logger.move(task["id"], "cancel", reason="Ganda")
    referral = (await cast.owner.get(f"/v1/referrals/{task['open_referral']['id']}")).json()
    assert (referral["status"], referral["available_transitions"]) == ("withdrawn", [])
    refused = await cast.owner.answer(referral["id"], "accepted")
    assert (refused.status_code, refused.json()["code"]) == (409, "transition-not-allowed")
    history = (await cast.logger.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    assert [one["kind"] for one in history][-2:] == ["referral.withdrawn", "task.cancelled"]


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.IN_PROGRESS, Status.AWAITING_INFO])
async def test_after_acceptance_only_a_supervisor_of_the_accountable_agency_cancels(
    status: Status, cast: Cast, bkpsdm: Agency
) -> None:
    task = await cast.bring(status)
    officer = await Agency(bkpsdm.http, bkpsdm.credentials).sign_in(scope="officer")
    for caller in (cast.logger, officer):
        refused = await caller.move(task["id"], "cancel", reason="Ganda")
        assert (refused.status_code, refused.json()["permission"]) == (403, "task.cancel_accepted")
    cancelled = (await cast.owner.move(task["id"], "cancel", reason="Tidak perlu lagi")).json()
    assert (cancelled["status"], cancelled["accountable"]) == ("cancelled", bkpsdm.code)


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED, Status.CANCELLED])
async def test_what_is_resolved_or_ended_is_not_cancelled(status: Status, cast: Cast) -> None:
    task = await cast.bring(status)
    for caller in (cast.logger, cast.owner):
        refused = await caller.move(task["id"], "cancel", reason="Ganda")
        seen = (await caller.get(f"/v1/tasks/{task['id']}")).status_code == 200
        assert refused.status_code == (409 if seen else 428)
    assert (await cast.logger.read(task["id"]))["status"] == status


# drafts


async def test_a_draft_is_its_logger_s_alone_until_it_is_submitted(cast: Cast, kpu: Agency) -> None:
    draft = await cast.logger.log(draft=True, classification="terbuka")
    for other in (cast.owner, kpu):
        assert (await other.get(f"/v1/tasks/{draft['id']}")).status_code == 404
    submitted = (await cast.logger.move(draft["id"], "submit")).json()
    assert (submitted["status"], submitted["open_referral"]["to_agency"]) == ("assigned", cast.owner.code)
    for other in (cast.owner, kpu):
        assert (await other.read(draft["id"]))["status"] == "assigned"


async def test_a_draft_of_the_competent_agency_is_accepted_when_submitted(bkpsdm: Agency) -> None:
    draft = await bkpsdm.log(draft=True)
    submitted = (await bkpsdm.move(draft["id"], "submit")).json()
    assert (submitted["status"], submitted["accountable"], submitted["mandate"]) == ("accepted", bkpsdm.code, "M01")


@pytest.mark.parametrize(
    ("matter", "code"),
    [
        ({"function": "logistics"}, "mandate-gap"),
        ({"proposed_owner": "KODIM_0833_KOTA_MALANG"}, "mandate-mismatch"),
        ({"proposed_owner": "FORKOPIMDA_KOTA_MALANG"}, "mandate-mismatch"),
    ],
)
async def test_a_draft_that_the_law_refuses_stays_a_draft(
    matter: dict[str, Any], code: str, bakesbangpol: Agency
) -> None:
    draft = await bakesbangpol.log(draft=True, **matter)
    refused = await bakesbangpol.move(draft["id"], "submit")
    assert (refused.status_code, refused.json()["code"]) == (409, code)
    after = await bakesbangpol.read(draft["id"])
    assert (after["status"], after["version"]) == ("draft", draft["version"])
