"""Every row of the workflow is lived, and what has no row is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import httpx
import pytest
from stories import ANSWERS, Cast, words
from support import Agency, SignIn

from app.rules import policy, workflow
from app.rules.vocabulary import Action, ReferralStatus, Role, Standing, Status
from app.rules.workflow import ACTIVE, REFER, REFERRAL_MOVES, TASK_MOVES, TRANSITIONS, ReferralMove, Transition

ROWS = [(row, source) for row in TRANSITIONS for source in sorted(row.sources)]
REFERRING = [(row, source) for row in REFER for source in sorted(row.sources)]
ANSWERING = [
    (row, source, status)
    for row in REFERRAL_MOVES
    for source in sorted(row.sources)
    for status in (Status.ASSIGNED, *sorted(ACTIVE))
]
TASK_ACTIONS = sorted({row.action for row in (*TRANSITIONS, *REFER)})


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


def name(value: Any) -> str:
    return str(getattr(value, "action", value))


async def last_fact(agency: Agency, task: dict[str, Any]) -> dict[str, Any]:
    history = (await agency.get(f"/v1/tasks/{task['id']}/history")).json()
    return dict(history["items"][-1])


async def attempt(agency: Agency, task: dict[str, Any], action: Action, **said: Any) -> httpx.Response:
    """A move of a task, whichever address takes it."""
    if action is Action.REFER:
        return await agency.refer(task["id"], **{"to_agency": "BKPSDM_KOTA_MALANG", **said})
    return await agency.move(task["id"], action, **said)


@pytest.mark.parametrize(("row", "source"), ROWS, ids=name)
async def test_each_row_of_the_workflow_moves_the_task_and_leaves_its_fact(
    row: Transition, source: Status, cast: Cast
) -> None:
    task = await cast.bring(source)
    mover = cast.mover(row)
    (offered,) = [one for one in (await mover.read(task["id"]))["available_transitions"] if one["action"] == row.action]
    moved = await mover.move(task["id"], row.action, **words(offered["requires"]))
    assert moved.status_code == 200, moved.text
    assert (await cast.logger.read(task["id"]))["status"] == row.target
    history = (await cast.logger.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    (fact,) = [one for one in history if one["kind"] == row.event and one["from_status"] == source]
    assert (fact["to_status"], fact["agency"]) == (row.target, mover.code)


@pytest.mark.parametrize(("row", "source"), REFERRING, ids=name)
async def test_each_row_of_referring_sends_a_referral(
    row: Transition, source: Status, cast: Cast, bawaslu: Agency
) -> None:
    task = await cast.bring(source)
    matter = {"to_agency": cast.owner.code} if source is Status.RETURNED else {"function": "monitoring"}
    sent = await cast.mover(row).refer(task["id"], **{"to_agency": bawaslu.code, **matter})
    assert sent.status_code == 201, sent.text
    referred = await cast.logger.read(task["id"])
    assert (referred["status"], referred["open_referral"]["id"]) == (row.target, sent.json()["id"])
    assert (await last_fact(cast.logger, task))["kind"] == row.event


@pytest.mark.parametrize(("row", "source", "status"), ANSWERING, ids=name)
async def test_each_row_of_a_referral_moves_it_and_its_task(
    row: ReferralMove, source: ReferralStatus, status: Status, cast: Cast, bawaslu: Agency
) -> None:
    task = await cast.bring(status)
    sender, receiver = cast.logger, cast.owner
    if status is not Status.ASSIGNED:
        task = await cast.refer(task, bawaslu)
        sender, receiver = cast.owner, bawaslu
    referral = task["open_referral"]["id"]
    if source is ReferralStatus.RECEIVED:
        assert (await receiver.answer(referral, "received")).status_code == 200
    if row.action is Action.WITHDRAW:
        etag = (await sender.get(f"/v1/referrals/{referral}")).headers["etag"]
        moved = await sender.post(f"/v1/referrals/{referral}/withdrawal", {}, etag=etag)
    else:
        moved = await receiver.answer(referral, ANSWERS[row.action], **words(row.requires))
    assert (moved.status_code, moved.json()["status"]) == (200, row.target), moved.text
    after = await cast.logger.read(task["id"])
    assert after["status"] == row.task_target.get(status, status)
    assert (after["open_referral"] is None) == (row.target not in workflow.OPEN_REFERRAL)
    fact = await last_fact(cast.logger, task)
    assert (fact["kind"], fact["from_status"], fact["to_status"]) == (row.event, status, after["status"])


@pytest.mark.parametrize("status", Status)
async def test_what_has_no_row_is_refused_with_what_is_lawful_to_those_who_may_at_another_time(
    status: Status, cast: Cast
) -> None:
    task = await cast.bring(status)
    for action, caller in product(TASK_ACTIONS, (cast.logger, cast.owner)):
        if workflow.transition(action, status) is not None:
            continue
        read = await caller.get(f"/v1/tasks/{task['id']}")
        refused = await attempt(caller, task, action)
        if read.status_code == 404:
            assert refused.status_code in {404, 428}
            continue
        problem, seen = refused.json(), read.json()
        held = {Standing.LOGGER, Standing.JUDGE} if caller is cast.logger else set()
        owning = {seen["accountable"], (seen.get("open_referral") or {}).get("to_agency")}
        held |= {Standing.OWNER} if caller.code in owning else set()
        rows = [row for row in TASK_MOVES if row.action is action]
        if any(policy.may(Role.SUPERVISOR, row.permission, held) for row in rows):
            assert (refused.status_code, problem["code"]) == (409, "transition-not-allowed"), (action, problem)
            assert (problem["action"], problem["current"]) == (action, status)
            assert problem["lawful"] == seen["available_transitions"]
        else:
            assert (refused.status_code, problem["code"]) == (403, "permission-denied"), (action, problem)
    assert (await cast.logger.read(task["id"]))["version"] == task["version"]


async def test_a_role_that_could_never_make_the_move_is_refused_whatever_the_status(
    cast: Cast, client_of: SignIn
) -> None:
    viewer = await client_of(cast.logger.code, "viewer")
    task = await cast.bring(Status.ASSIGNED)
    refused = await viewer.move(task["id"], "start")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied")


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.DRAFT}))
async def test_a_third_agency_is_refused_every_move_that_is_not_its_own(
    status: Status, cast: Cast, kpu: Agency, kodim: Agency
) -> None:
    task = await cast.bring(status)
    etag = (await cast.logger.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    for row in workflow.lawful(status):
        path = f"/v1/tasks/{task['id']}/{'referrals' if row.action is Action.REFER else 'transitions'}"
        body = {"to_agency": "BKPSDM_KOTA_MALANG"} if row.action is Action.REFER else {"action": row.action}
        stranger = await kodim.post(path, body, etag=etag)
        assert (stranger.status_code, stranger.json()["code"]) == (404, "not-found")
        if not policy.may(Role.SUPERVISOR, row.permission, {Standing.COORDINATOR}):
            coordinator = await kpu.post(path, body, etag=etag)
            assert (coordinator.status_code, coordinator.json()["permission"]) == (403, row.permission)
    assert (await cast.logger.read(task["id"]))["version"] == task["version"]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("who", ["logger", "owner", "coordinator", "officer", "viewer"])
async def test_what_is_offered_works_with_what_it_requires_and_nothing_else_works(
    status: Status, who: str, cast: Cast, bawaslu: Agency, bkpsdm: Agency
) -> None:
    lesser = Agency(bkpsdm.http, bkpsdm.credentials)
    if who in {"officer", "viewer"}:
        await lesser.sign_in(scope=who)
    caller = {"logger": cast.logger, "owner": cast.owner, "coordinator": bawaslu}.get(who, lesser)
    task = await cast.bring(status)
    read = await caller.get(f"/v1/tasks/{task['id']}")
    if read.status_code == 404:
        assert caller is not cast.logger
        return
    offered = {one["action"]: one for one in read.json()["available_transitions"]}
    listed = (await caller.get(f"/v1/tasks/{task['id']}/transitions")).json()["items"]
    assert listed == read.json()["available_transitions"]
    for action in TASK_ACTIONS:
        if action in offered:
            fresh = await cast.bring(status)
            body = words(offered[action]["requires"])
            if action is Action.REFER and status is not Status.RETURNED:
                body |= {"to_agency": bawaslu.code, "function": "monitoring"}
            made = await attempt(caller, fresh, action, **body)
            assert made.status_code in {200, 201}, (action, made.text)
        else:
            refused = await attempt(caller, task, action)
            assert refused.status_code in {403, 404, 409}, (action, refused.text)
    assert not (who == "viewer" and offered)


async def test_a_move_needs_the_etag_last_read(cast: Cast) -> None:
    task = await cast.bring(Status.ACCEPTED)
    path = f"/v1/tasks/{task['id']}/transitions"
    stale = (await cast.owner.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    assert (await cast.owner.post(path, {"action": "start"})).status_code == 428
    assert (await cast.owner.post(path, {"action": "start"}, etag=stale)).status_code == 200
    refused = await cast.owner.post(path, {"action": "await_info"}, etag=stale)
    assert (refused.status_code, refused.json()["code"]) == (412, "stale-version")
    again = await cast.owner.post(path, {"action": "await_info"}, etag=refused.json()["current_etag"])
    assert again.json()["status"] == "awaiting_info"
