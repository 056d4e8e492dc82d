"""Many at once: one winner, one fact, and the others are told to look again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from stories import Cast, words
from support import Agency, Contract, task

from app.db import Database, row
from app.main import create_app
from app.rules.vocabulary import Status
from app.settings import Settings

MANY = 16
Make = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
async def crowd(url: str, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The same service with a connection for everybody: what is tried here is the race, not the queue for the pool."""
    app = create_app(settings.model_copy(update={"pool_size": MANY + 2, "pool_timeout": 20.0}), url)
    transport = httpx.ASGITransport(app)
    hooks = {"response": [Contract(app).check]}
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul", event_hooks=hooks) as client:
        yield client
    await app.state.database.close()


@pytest.fixture
def cast(crowd: httpx.AsyncClient, bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=among(crowd, bakesbangpol), owner=among(crowd, bkpsdm))


def among(crowd: httpx.AsyncClient, agency: Agency) -> Agency:
    return Agency(crowd, agency.credentials, dict(agency.headers))


async def etag(agency: Agency, path: str) -> str:
    return (await agency.get(path)).headers["etag"]


async def at_once(*calls: Make) -> list[httpx.Response]:
    return list(await asyncio.gather(*(call() for call in calls)))


def only_winner(answers: list[httpx.Response]) -> httpx.Response:
    won = [one for one in answers if one.status_code in {200, 201}]
    lost = Counter((one.status_code, one.json()["code"]) for one in answers if one not in won)
    assert len(won) == 1, lost
    assert {status for status, _ in lost} <= {409, 412}, lost
    return won[0]


async def facts(agency: Agency, task_id: str) -> Counter[str]:
    history = (await agency.get(f"/v1/tasks/{task_id}/history")).json()["items"]
    return Counter(one["kind"] for one in history)


@pytest.mark.parametrize(
    ("status", "action", "event"),
    [
        (Status.DRAFT, "submit", "task.submitted"),
        (Status.ACCEPTED, "start", "task.started"),
        (Status.IN_PROGRESS, "resolve", "task.resolved"),
        (Status.RESOLVED, "confirm", "task.confirmed"),
        (Status.ASSIGNED, "cancel", "task.cancelled"),
    ],
)
async def test_of_sixteen_who_make_one_move_one_wins(status: Status, action: str, event: str, cast: Cast) -> None:
    logged = await cast.bring(status)
    mover = cast.owner if action in {"start", "resolve"} else cast.logger
    seen = await mover.get(f"/v1/tasks/{logged['id']}")
    (requires,) = [one["requires"] for one in seen.json()["available_transitions"] if one["action"] == action]
    path, body = f"/v1/tasks/{logged['id']}/transitions", {"action": action, **words(requires)}
    won = only_winner(await at_once(*[lambda: mover.post(path, body, etag=seen.headers["etag"])] * MANY))
    assert won.json()["version"] == logged["version"] + 1
    assert (await facts(cast.logger, logged["id"]))[event] == 1


async def test_of_sixteen_who_accept_one_referral_one_wins(cast: Cast) -> None:
    logged = await cast.bring(Status.ASSIGNED)
    path = f"/v1/referrals/{logged['open_referral']['id']}"
    tag = await etag(cast.owner, path)
    only_winner(await at_once(*[lambda: cast.owner.post(f"{path}/response", {"answer": "accepted"}, etag=tag)] * MANY))
    after = await cast.logger.read(logged["id"])
    assert (after["accountable"], after["version"]) == (cast.owner.code, logged["version"] + 1)
    assert (await facts(cast.logger, logged["id"]))["referral.accepted"] == 1


async def test_of_sixteen_who_refer_one_task_one_wins(cast: Cast) -> None:
    logged = await cast.bring(Status.ACCEPTED)
    path = f"/v1/tasks/{logged['id']}"
    tag, body = await etag(cast.owner, path), {"to_agency": "BAWASLU_KOTA_MALANG", "function": "monitoring"}
    won = only_winner(await at_once(*[lambda: cast.owner.post(f"{path}/referrals", body, etag=tag)] * MANY))
    assert (await cast.owner.read(logged["id"]))["open_referral"]["id"] == won.json()["id"]
    assert (await facts(cast.logger, logged["id"]))["referral.sent"] == 2


async def test_referring_and_resolving_at_once_has_one_winner(cast: Cast) -> None:
    logged = await cast.bring(Status.IN_PROGRESS)
    path = f"/v1/tasks/{logged['id']}"
    tag, resolve = await etag(cast.owner, path), words(["outcome", "note", "facts.participants"])
    refer = {"to_agency": "BAWASLU_KOTA_MALANG", "function": "monitoring"}
    won = only_winner(
        await at_once(
            lambda: cast.owner.post(f"{path}/referrals", refer, etag=tag),
            lambda: cast.owner.post(f"{path}/transitions", {"action": "resolve", **resolve}, etag=tag),
        )
    )
    after = await cast.owner.read(logged["id"])
    assert (after["status"], after["open_referral"] is None) == (
        ("in_progress", False) if won.status_code == 201 else ("resolved", True)
    )


@pytest.mark.parametrize("against", ["withdraw", "cancel"])
async def test_accepting_while_the_sender_takes_it_back_has_one_winner(against: str, cast: Cast) -> None:
    logged = await cast.bring(Status.ASSIGNED)
    referral, path = f"/v1/referrals/{logged['open_referral']['id']}", f"/v1/tasks/{logged['id']}"
    tags = await etag(cast.owner, referral), await etag(cast.logger, path)
    take_back: dict[str, Make] = {
        "withdraw": lambda: cast.logger.post(f"{referral}/withdrawal", {}, etag=tags[0]),
        "cancel": lambda: cast.logger.post(
            f"{path}/transitions", {"action": "cancel", "reason": "Ganda"}, etag=tags[1]
        ),
    }
    accept: Make = lambda: cast.owner.post(f"{referral}/response", {"answer": "accepted"}, etag=tags[0])  # noqa: E731
    only_winner(await at_once(accept, take_back[against]))
    after = await cast.logger.read(logged["id"])
    kinds = await facts(cast.logger, logged["id"])
    assert after["open_referral"] is None
    assert kinds["referral.accepted"] + kinds["referral.withdrawn"] == 1
    assert (after["status"], after["accountable"]) in {
        ("accepted", cast.owner.code),
        ("returned" if against == "withdraw" else "cancelled", None),
    }


async def test_one_key_logs_one_task_however_often_it_is_sent_at_once(cast: Cast, database: Database) -> None:
    title, headers = f"Sekali saja {uuid4()}", {"Idempotency-Key": str(uuid4())}

    async def send() -> httpx.Response:
        return await cast.logger.post("/v1/tasks", task(title=title), headers=headers)

    answers = await at_once(*[send] * MANY)
    made = [one for one in answers if one.status_code == 201]
    waiting = [one for one in answers if one not in made]
    assert {one.json()["id"] for one in made} == {made[0].json()["id"]}
    assert sum("idempotent-replayed" not in one.headers for one in made) == 1
    assert all(one.json()["code"] == "idempotency-in-progress" for one in waiting)
    assert all(int(one.headers["retry-after"]) > 0 for one in waiting)
    again = await send()
    assert (again.content, again.headers["idempotent-replayed"]) == (made[0].content, "true")
    async with database.reading() as reader:
        found = await row(reader, "select count(*) as tasks from task where title = :title", title=title)
    assert found == {"tasks": 1}


async def test_two_agencies_that_log_the_same_number_at_once_do_not_meet(cast: Cast) -> None:
    number = f"ND-{uuid4()}"
    answers = await at_once(
        *[lambda: cast.logger.post("/v1/tasks", task(external_reference=number))] * 4,
        *[lambda: cast.owner.post("/v1/tasks", task(external_reference=number))] * 4,
    )
    made: list[dict[str, Any]] = [one.json() for one in answers if one.status_code == 201]
    refused = {one.json()["code"] for one in answers if one.status_code != 201}
    assert sorted(one["logged_by"] for one in made) == [cast.logger.code, cast.owner.code]
    assert refused == {"duplicate-external-reference"}
