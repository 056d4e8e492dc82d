"""What a random walk of moves leaves behind: a history that explains the state, and readers that are right."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from stories import ANSWERS, Cast, words
from support import Agency

from app.db import Database, value
from app.rules.vocabulary import Status
from app.services import visibility

STEPS = 12
TARGETS = {
    "BKPSDM_KOTA_MALANG": "prevention",
    "BAWASLU_KOTA_MALANG": "monitoring",
}


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


async def step(agency: Agency, task_id: str, move: dict[str, Any], chance: random.Random) -> None:
    """Make one move that was offered."""
    action, href = move["action"], move["href"]
    body = words(move["requires"])
    if action == "refer":
        receiver = chance.choice([code for code in TARGETS if code != agency.code])
        body |= {"to_agency": receiver, "function": TARGETS[receiver], "retain_access": chance.random() < 0.5}
    elif href.endswith("/response"):
        body |= {"answer": ANSWERS[action]}
    elif href.endswith("/transitions"):
        body |= {"action": action}
    record = href.rpartition("/")[0]
    etag = (await agency.get(record)).headers["etag"]
    made = await agency.post(href, body, etag=etag)
    assert made.status_code in {200, 201}, (move, made.text)
    if chance.random() < 0.3:
        await share(agency, task_id, chance)


async def share(agency: Agency, task_id: str, chance: random.Random) -> None:
    """Share the task with somebody, if the agency may, or take a share back."""
    path = f"/v1/tasks/{task_id}/shares/{chance.choice(['KODIM_0833_KOTA_MALANG', 'BMKG', 'KPU_KOTA_MALANG'])}"
    etag = (await agency.get(f"/v1/tasks/{task_id}")).headers.get("etag", '"0"')
    shared = await agency.put(path, {"level": chance.choice(["full", "summary"])}, etag=etag)
    assert shared.status_code in {200, 403, 404}, shared.text
    if shared.status_code == 200 and chance.random() < 0.5:
        assert (await agency.delete(path, etag=shared.headers["etag"])).status_code == 204


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_walk_the_stored_readers_are_those_that_the_facts_give(
    seed: int, cast: Cast, bawaslu: Agency, database: Database
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a walk that can be walked again
    task = await cast.bring(Status.ASSIGNED)
    for _ in range(STEPS):
        reading = [(one, await one.get(f"/v1/tasks/{task['id']}")) for one in (cast.logger, cast.owner, bawaslu)]
        offered = [
            (agency, move)
            for agency, read in reading
            if read.status_code == 200
            for move in read.json()["available_transitions"]
            if move["action"] != "cancel" or chance.random() < 0.1
        ]
        if not offered:
            break
        agency, move = chance.choice(offered)
        await step(agency, task["id"], move, chance)
        async with database.working() as worker:
            assert await visibility.stale_readers(worker) == 0, move
    await told_truly(cast.logger, task["id"])


@pytest.mark.parametrize("status", [Status.DRAFT, Status.ASSIGNED])
@pytest.mark.parametrize("classification", ["terbuka", "terbatas", "rahasia"])
async def test_from_its_first_instant_a_task_is_read_by_whom_the_facts_name(
    classification: str, status: Status, kpu: Agency, database: Database
) -> None:
    draft = status is Status.DRAFT
    shares = [("POLRESTA_MALANG_KOTA", "full"), ("KODIM_0833_KOTA_MALANG", "summary")]
    asked = {"classification": classification, "draft": draft}
    logged = await kpu.log(**asked, shares=[{"agency": agency, "level": level} for agency, level in shares])
    own = await kpu.log(**asked, category="candidate_eligibility", function="handling")
    assert own["accountable"] == (None if draft else own["logged_by"])
    async with database.working() as worker:
        assert await visibility.stale_readers(worker) == 0
        referrals = await value(
            worker,
            "select array_agg(r.readers = t.readers and r.task_reference = t.reference"
            " and r.classification = t.classification) from referral r join task t on t.id = r.task_id"
            " where t.id = any(:ids)",
            ids=[logged["id"], own["id"]],
        )
    assert referrals == (None if draft else [True])


async def told_truly(agency: Agency, task_id: str) -> None:
    """The history leads from nothing to the state as it is, one fact after the other."""
    task = await agency.read(task_id)
    history = (await agency.get(f"/v1/tasks/{task_id}/history")).json()
    moved = [one for one in history["items"] if one["from_status"] is not None]
    stages = [("assigned", "assigned"), *((one["from_status"], one["to_status"]) for one in moved)]
    assert all(before[1] == after[0] for before, after in pairwise(stages)), stages
    assert stages[-1][1] == task["status"]
    owners = [one for one in history["assignments"] if one["role"] == "accountable"]
    assert [one["agency"] for one in owners if one["to_at"] is None] == [task["accountable"]] * (
        task["accountable"] is not None
    )
    assert [one["to_at"] for one in owners[:-1]] == [one["from_at"] for one in owners[1:]]
    times = [one["effective_at"] for one in history["items"]]
    assert times == sorted(times)


async def test_an_outsider_reads_no_history_and_a_coordinator_of_the_summary_none_either(
    cast: Cast, kodim: Agency, kpu: Agency
) -> None:
    task = await cast.bring(Status.ACCEPTED)
    assert (await kodim.get(f"/v1/tasks/{task['id']}/history")).status_code == 404
    refused = await kpu.get(f"/v1/tasks/{task['id']}/history")
    assert (refused.status_code, refused.json()["code"]) == (403, "classification-denied")


async def test_a_refused_move_leaves_no_fact(cast: Cast) -> None:
    task = await cast.bring(Status.IN_PROGRESS)
    before = (await cast.owner.get(f"/v1/tasks/{task['id']}/history")).json()
    for action in ("start", "resolve", "confirm"):
        assert (await cast.owner.move(task["id"], action)).status_code >= 400
    assert (await cast.owner.get(f"/v1/tasks/{task['id']}/history")).json() == before
