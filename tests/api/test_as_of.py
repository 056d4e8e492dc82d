"""Tasks as they stood: the state at an instant is what the facts up to then say, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stories import ANSWERS, Cast, words
from support import Agency, scaled

from app.db import Database
from app.rules.facts import STATE
from app.rules.vocabulary import Status
from app.schemas.tasks import TaskFields
from app.services import sealing

Json = dict[str, Any]

LOGGED, ACCEPTED, STARTED = (f"2024-08-2{day}T09:00:00+07:00" for day in range(3))
NOTHING: Final = "01a20095-dd78-7391-babc-105bdcc6dc88"
#: What a referral may ask for, and of whom.
RECEIVERS: Final = {"BKPSDM_KOTA_MALANG": "prevention", "BAWASLU_KOTA_MALANG": "monitoring"}
PATCHES: Final = (
    {"title": "Sosialisasi ulang", "priority": "critical"},
    {"description": "Ditambah satu hari.", "due_at": "2031-01-01T00:00:00+07:00"},
    {"polling_station": "017", "classification": "terbuka"},
    {"due_at": None, "polling_station": None, "title": "Sosialisasi terakhir", "classification": "terbatas"},
)
PATCHED: Final = ("title", "description", "priority", "due_at", "polling_station", "classification")
MOVED: Final = (
    *("status", "holder", "accountable", "mandate", "supporting", "informed", "function", "variant"),
    *("outcome", "note", "facts", "open_referral"),
)


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


@pytest.fixture
async def story(cast: Cast) -> Json:
    """A task logged, accepted and started on three mornings of August 2024, and changed today."""
    task = await cast.owner.accept(
        await cast.logger.log(effective_at=LOGGED, due_at="2031-01-01T00:00:00Z"), effective_at=ACCEPTED
    )
    started = await cast.owner.move(task["id"], "start", effective_at=STARTED)
    changed = await cast.owner.patch(
        f"/v1/tasks/{task['id']}", {"title": "Sosialisasi ulang"}, etag=started.headers["etag"]
    )
    assert changed.status_code == 200, changed.text
    return dict(changed.json())


def now() -> str:
    return datetime.now(UTC).isoformat()


def just_before(instant: str) -> str:
    return (datetime.fromisoformat(instant) - timedelta(microseconds=1)).isoformat()


async def stood(agency: Agency, id: str, at: str) -> Json:
    """The task as it stood at an instant."""
    answer = await agency.get(f"/v1/tasks/{id}", params={"as_of": at})
    assert answer.status_code == 200, (at, answer.text)
    return dict(answer.json())


async def every(agency: Agency, **params: str) -> dict[str, Json]:
    """Every task of a list, by its id."""
    found: dict[str, Json] = {}
    cursor: Json = {}
    while True:
        page = await agency.get("/v1/tasks", params={"limit": "50", **params, **cursor})
        assert page.status_code == 200, page.text
        found |= {one["id"]: one for one in page.json()["items"]}
        if page.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": page.json()["next_cursor"]}


# one task


async def test_a_task_is_shown_as_it_stood(cast: Cast, story: Json) -> None:
    stages = [(one["status"], one["accountable"], one["title"]) for one in [
        await stood(cast.logger, story["id"], at) for at in (LOGGED, just_before(ACCEPTED), ACCEPTED, STARTED, now())
    ]]  # fmt: skip
    old, new = "Sosialisasi netralitas ASN", "Sosialisasi ulang"
    owner = cast.owner.code
    assert stages == [
        ("assigned", None, old),
        ("assigned", None, old),
        ("accepted", owner, old),
        ("in_progress", owner, old),
        ("in_progress", owner, new),
    ]
    first = await stood(cast.logger, story["id"], LOGGED)
    assert (first["holder"], first["version"], first["due_at"]) == (cast.logger.code, 1, "2031-01-01T00:00:00Z")
    assert first["open_referral"]["to_agency"] == owner
    assert first["available_transitions"] == []


async def test_before_it_was_logged_there_was_no_task(cast: Cast, story: Json) -> None:
    for task in (story["id"], NOTHING):
        answer = await cast.logger.get(f"/v1/tasks/{task}", params={"as_of": just_before(LOGGED)})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert story["id"] in await every(cast.logger, as_of=LOGGED, region="35.73")
    assert story["id"] not in await every(cast.logger, as_of=just_before(LOGGED), region="35.73")


async def test_a_change_of_today_is_not_carried_into_the_past_by_a_move_entered_late(cast: Cast, story: Json) -> None:
    said = words(["outcome", "note", "facts.participants"])
    late = await cast.owner.move(story["id"], "resolve", **said, effective_at="2024-09-01T09:00:00+07:00")
    assert late.status_code == 200, late.text
    then = await stood(cast.logger, story["id"], "2024-09-02T09:00:00+07:00")
    assert (then["status"], then["note"], then["title"]) == ("resolved", said["note"], "Sosialisasi netralitas ASN")
    await agrees(cast.logger, story["id"])


async def test_a_remark_that_a_move_makes_is_no_note_of_the_task(cast: Cast) -> None:
    task = await cast.bring(Status.IN_PROGRESS)
    assert (await cast.owner.move(task["id"], "await_info", note="Menunggu data BKN.")).status_code == 200
    assert (await stood(cast.logger, task["id"], now()))["note"] is None
    assert (await cast.logger.read(task["id"]))["note"] is None


async def test_the_past_is_seen_by_the_access_of_today(cast: Cast, story: Json, kpu: Agency, kodim: Agency) -> None:
    summary = await stood(kpu, story["id"], LOGGED)
    assert (summary["access"], summary["status"], summary["accountable"]) == ("summary", "assigned", None)
    assert "title" not in summary
    assert (await kodim.get(f"/v1/tasks/{story['id']}", params={"as_of": STARTED})).status_code == 404
    assert story["id"] not in await every(kodim, as_of=STARTED)
    # a task shared today is seen as it stood before
    etag = (await cast.logger.get(f"/v1/tasks/{story['id']}")).headers["etag"]
    share = f"/v1/tasks/{story['id']}/shares/{kodim.code}"
    assert (await cast.logger.put(share, {"level": "full"}, etag=etag)).status_code == 200
    assert (await stood(kodim, story["id"], LOGGED))["title"] == "Sosialisasi netralitas ASN"


async def test_who_owned_it_once_sees_the_summary_of_then_and_of_what_came_after(cast: Cast, bawaslu: Agency) -> None:
    task = await cast.bring(Status.ACCEPTED)
    assert (await bawaslu.accept(await cast.refer(task, bawaslu)))["accountable"] == bawaslu.code
    assert (await cast.owner.read(task["id"]))["access"] == "summary"
    facts = (await cast.logger.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    owners = [(await stood(cast.owner, task["id"], one["effective_at"]))["accountable"] for one in facts]
    assert owners == [None, None, cast.owner.code, cast.owner.code, bawaslu.code]


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/tasks/{id}"])
async def test_nobody_is_told_the_future(path: str, cast: Cast, story: Json) -> None:
    for said in ((datetime.now(UTC) + timedelta(minutes=1)).isoformat(), "2024-08-20", "2024-08-20T09:00:00", "x"):
        answer = await cast.logger.get(path.format(id=story["id"]), params={"as_of": said})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
        assert answer.json()["errors"][0]["parameter"] == "as_of"


async def test_the_etag_of_the_past_lets_nobody_write(cast: Cast, story: Json) -> None:
    path = f"/v1/tasks/{story['id']}"
    read = await cast.owner.get(path, params={"as_of": now()})
    refused = await cast.owner.patch(path, {"priority": "low"}, etag=read.headers["etag"])
    assert (refused.status_code, refused.json()["code"]) == (412, "stale-version")
    again = await cast.owner.get(path, params={"as_of": STARTED}, headers={"If-None-Match": read.headers["etag"]})
    assert again.status_code == 200
    assert (
        await cast.owner.get(path, params={"as_of": STARTED}, headers={"If-None-Match": again.headers["etag"]})
    ).status_code == 304


async def test_a_word_that_was_erased_from_the_log_is_shown_as_it_is_now(
    cast: Cast, story: Json, database: Database
) -> None:
    async with database.working() as worker:
        assert await sealing.destroy(worker, sealing.of_record("task", UUID(story["id"])))
    then = await stood(cast.logger, story["id"], LOGGED)
    assert (then["status"], then["title"]) == ("assigned", "Sosialisasi ulang")


# lists


async def test_the_register_as_of_now_is_the_register(bakesbangpol: Agency, kpu: Agency, kodim: Agency) -> None:
    for agency in (bakesbangpol, kpu, kodim):
        listed = await every(agency, sort="-effective_at")
        assert listed
        without_clocks = {
            task: one | ({"next_deadline": None} if "title" in one else {}) for task, one in listed.items()
        }
        assert await every(agency, as_of=now()) == without_clocks


async def test_a_list_shows_each_task_as_it_is_shown_alone(
    cast: Cast, story: Json, kpu: Agency, bawaslu: Agency
) -> None:
    for agency in (cast.logger, cast.owner, kpu, bawaslu):
        for at in (ACCEPTED, "2024-09-15T00:00:00Z"):
            listed = await every(agency, as_of=at)
            assert story["id"] in listed
            for task, one in listed.items():
                assert {**one, "available_transitions": []} == await stood(agency, task, at)


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"status": "assigned,accepted"}, lambda one: one["status"] in {"assigned", "accepted"}),
        ({"accountable": "BKPSDM_KOTA_MALANG"}, lambda one: one["accountable"] == "BKPSDM_KOTA_MALANG"),
        ({"holder": "BAKESBANGPOL_KOTA_MALANG"}, lambda one: one.get("holder") == "BAKESBANGPOL_KOTA_MALANG"),
        ({"supporting": "INSPEKTORAT_KOTA_MALANG"}, lambda one: "INSPEKTORAT_KOTA_MALANG" in one.get("supporting", ())),
        (
            {"referred_to": "BKPSDM_KOTA_MALANG"},
            lambda one: (one.get("open_referral") or {}).get("to_agency") == "BKPSDM_KOTA_MALANG",
        ),
        ({"function": "prevention"}, lambda one: one["function"] == "prevention"),
        ({"priority": "medium"}, lambda one: one["priority"] == "medium"),
        ({"classification": "terbatas"}, lambda one: one.get("classification") == "terbatas"),
        ({"due_before": "2031-01-01T00:00:01Z"}, lambda one: (one["due_at"] or "9") < "2031-01-01T00:00:01Z"),
        ({"due_after": "2031-01-01T00:00:00Z"}, lambda one: (one["due_at"] or "0") >= "2031-01-01T00:00:00Z"),
        ({"category": "asn_neutrality"}, lambda one: one["category"] == "asn_neutrality"),
    ],
)
async def test_filters_ask_for_the_state_of_then(
    asked: dict[str, str], holds: Any, cast: Cast, story: Json, kpu: Agency
) -> None:
    found: set[str] = set()
    for at in (LOGGED, ACCEPTED, now()):
        for agency in (cast.logger, kpu):
            whole = await every(agency, as_of=at)
            listed = await every(agency, as_of=at, **asked)
            assert listed == {task: one for task, one in whole.items() if holds(one)}, at
            count = await agency.get("/v1/tasks", params={"as_of": at, "limit": "1", "count": "exact", **asked})
            assert count.json()["count"]["value"] == len(listed)
            found |= listed.keys()
    assert story["id"] in found


async def test_a_number_given_later_finds_nothing_before(cast: Cast, story: Json) -> None:
    numbered = {"external_reference": f"ND/{story['reference']}"}
    etag = (await cast.logger.get(f"/v1/tasks/{story['id']}")).headers["etag"]
    assert (await cast.logger.patch(f"/v1/tasks/{story['id']}", numbered, etag=etag)).status_code == 200
    assert [*await every(cast.logger, **numbered, as_of=now())] == [story["id"]]
    assert await every(cast.logger, **numbered, as_of=STARTED) == {}


@pytest.mark.parametrize(
    "asked", [{"party": "me"}, {"updated_after": LOGGED}, {"sort": "-updated_at"}, {"sort": "due_at"}]
)
async def test_what_is_of_today_cannot_be_asked_of_the_past(asked: dict[str, str], cast: Cast) -> None:
    answer = await cast.logger.get("/v1/tasks", params={"as_of": LOGGED, **asked})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
    assert [one["parameter"] for one in answer.json()["errors"]] == [*asked]


async def test_a_cursor_is_bound_to_the_instant(cast: Cast, story: Json) -> None:
    assert story
    await cast.logger.log(effective_at=LOGGED)
    page = await cast.logger.get("/v1/tasks", params={"as_of": STARTED, "limit": "1"})
    cursor = page.json()["next_cursor"]
    assert cursor
    assert "as_of=" in page.headers["link"]
    for other in ({"as_of": ACCEPTED}, {"sort": "-effective_at"}):
        answer = await cast.logger.get("/v1/tasks", params={**other, "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-mismatch")


# that no fact leaves out what it changed


def test_facts_tell_every_member_of_a_task_but_what_stands_beside_them() -> None:
    clocks = {"next_deadline"}  # they have facts of their own
    beside = {"access", "id", "reference", "effective_at", "recorded_at", "updated_at", "version"}
    of_today = {"vulnerabilities", "meeting", "decision"}
    assert {*STATE} == TaskFields.model_fields.keys() - beside - of_today - clocks


@pytest.mark.parametrize("status", Status)
async def test_a_task_of_every_status_stands_as_its_facts_tell(status: Status, cast: Cast) -> None:
    await agrees(cast.logger, (await cast.bring(status))["id"])


async def test_so_does_one_that_is_shared(cast: Cast) -> None:
    task = await cast.bring(Status.ACCEPTED)
    share = f"/v1/tasks/{task['id']}/shares/KODIM_0833_KOTA_MALANG"
    etag = (await cast.logger.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    shared = await cast.logger.put(share, {"level": "summary"}, etag=etag)
    await agrees(cast.logger, task["id"])
    assert (await cast.logger.delete(share, etag=shared.headers["etag"])).status_code == 204
    await agrees(cast.logger, task["id"])
    said = await cast.logger.post(f"/v1/tasks/{task['id']}/comments", {"body": "Sudah dibaca."})
    assert said.status_code == 201
    await agrees(cast.logger, task["id"])


async def test_so_does_one_whose_referral_is_received_or_withdrawn_or_whose_outcome_is_rejected(
    cast: Cast, bawaslu: Agency
) -> None:
    task = await cast.refer(await cast.bring(Status.IN_PROGRESS), bawaslu)
    referral = task["open_referral"]["id"]
    assert (await bawaslu.answer(referral, "received")).status_code == 200
    await agrees(cast.logger, task["id"])
    etag = (await cast.owner.get(f"/v1/referrals/{referral}")).headers["etag"]
    assert (await cast.owner.post(f"/v1/referrals/{referral}/withdrawal", {}, etag=etag)).status_code == 200
    await agrees(cast.logger, task["id"])
    resolved = await cast.owner.move(task["id"], "resolve", **words(["outcome", "note", "facts.participants"]))
    assert resolved.status_code == 200, resolved.text
    assert (await cast.logger.move(task["id"], "reject_outcome", reason="Belum selesai.")).status_code == 200
    await agrees(cast.logger, task["id"])


async def agrees(agency: Agency, task_id: str) -> None:
    """The task as of now is the task."""
    read = await agency.read(task_id)
    assert await stood(agency, task_id, now()) == {**read, "available_transitions": []}


class Walk:
    """A task that somebody moves and changes; what it was after each step, with the instant from which that held."""

    def __init__(self, data: st.DataObject, cast: Cast, others: tuple[Agency, ...]) -> None:
        self.data, self.cast, self.agencies = data, cast, (cast.logger, cast.owner, *others)
        self.told: list[tuple[datetime, tuple[str, ...], Json]] = []
        self.last: datetime | None = datetime.fromisoformat(LOGGED)

    async def begin(self) -> None:
        draft = self.data.draw(st.booleans(), "draft")
        assert self.last
        logged = await self.cast.logger.log(draft=draft, effective_at=self.last.isoformat())
        self.id = logged["id"]
        await self.tell(PATCHED + MOVED)

    async def tell(self, members: tuple[str, ...]) -> None:
        history = (await self.cast.logger.get(f"/v1/tasks/{self.id}/history")).json()["items"]
        self.told.append(
            (datetime.fromisoformat(history[-1]["effective_at"]), members, await self.cast.logger.read(self.id))
        )

    async def offered(self) -> AsyncIterator[tuple[Agency, Json]]:
        for agency in self.agencies:
            read = await agency.get(f"/v1/tasks/{self.id}")
            for move in read.json().get("available_transitions", ()):
                yield agency, move

    async def step(self) -> bool:
        offered = [(agency, move) async for agency, move in self.offered()]
        if not offered:
            return False
        if self.data.draw(st.integers(0, 3), "change it") == 0:
            await self.change()
            return True
        if self.data.draw(st.integers(0, 9), "may cancel"):
            offered = [one for one in offered if one[1]["action"] != "cancel"] or offered
        agency, move = self.data.draw(st.sampled_from(offered), "move")
        await self.make(agency, move)
        await self.tell(MOVED)
        return True

    async def change(self) -> None:
        etag = (await self.cast.logger.get(f"/v1/tasks/{self.id}")).headers["etag"]
        patch = self.data.draw(st.sampled_from(PATCHES), "change")
        changed = await self.cast.logger.patch(f"/v1/tasks/{self.id}", patch, etag=etag)
        if changed.status_code == 200:
            await self.tell(PATCHED)
        else:
            assert changed.json()["code"] in {"transition-not-allowed", "permission-denied"}, changed.text

    async def make(self, agency: Agency, move: Json) -> None:
        action, href = move["action"], move["href"]
        body = words(move["requires"])
        if action == "refer":
            receiver = self.data.draw(st.sampled_from([code for code in RECEIVERS if code != agency.code]), "to")
            body |= {"to_agency": receiver, "function": RECEIVERS[receiver], "retain_access": True}
        elif href.endswith("/response"):
            body |= {"answer": ANSWERS[action]}
        elif href.endswith("/transitions"):
            body |= {"action": action}
        later = self.data.draw(st.none() | st.integers(0, 48), "hours later")
        self.last = None if self.last is None or later is None else self.last + timedelta(hours=later)
        if self.last is not None:
            body["effective_at"] = self.last.isoformat()
        etag = (await agency.get(href.rpartition("/")[0])).headers["etag"]
        made = await agency.post(href, body, etag=etag)
        assert made.status_code in {200, 201}, (move, made.text)

    def state(self, at: datetime) -> Json:
        """What was told of that instant, step by step; a step entered later that holds from the same instant wins."""
        held: Json = {}
        for since, members, task in sorted(self.told, key=lambda one: one[0]):
            if since <= at:
                held |= {name: task[name] for name in members}
        return held


@settings(
    max_examples=scaled(5, 100),
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
async def test_after_any_walk_the_facts_tell_every_state_there_was(
    data: st.DataObject, bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, kpu: Agency
) -> None:
    walk = Walk(data, Cast(logger=bakesbangpol, owner=bkpsdm), (bawaslu,))
    await walk.begin()
    for _ in range(data.draw(st.integers(3, 14), "steps")):
        if not await walk.step():
            break
    for agency in (*walk.agencies, kpu):
        if (await agency.get(f"/v1/tasks/{walk.id}")).status_code == 200:
            await agrees(agency, walk.id)
    history = (await bakesbangpol.get(f"/v1/tasks/{walk.id}/history")).json()
    for since in sorted({since for since, _, _ in walk.told}):
        for at in (since - timedelta(microseconds=1), since):
            if at < walk.told[0][0]:
                continue
            then = await stood(bakesbangpol, walk.id, at.isoformat())
            told = walk.state(at)
            assert {name: then[name] for name in told} == told, at
            assert owners(then) == assigned(history["assignments"], at), at


def owners(task: Json) -> dict[str, set[str | None]]:
    """Who had which part in a task, by what it shows."""
    parts = {"supporting": {*task["supporting"]}, "informed": {*task["informed"]}}
    return {**parts, "accountable": {task["accountable"]} - {None}, "mandate": {task["mandate"]} - {None}}


def assigned(assignments: list[Json], at: datetime) -> dict[str, set[str | None]]:
    """The same by the periods of its assignments."""
    held = [
        one
        for one in assignments
        if datetime.fromisoformat(one["from_at"]) <= at
        and (one["to_at"] is None or at < datetime.fromisoformat(one["to_at"]))
    ]
    parts: dict[str, set[str | None]] = {
        role: {one["agency"] for one in held if one["role"] == role}
        for role in ("supporting", "informed", "accountable")
    }
    return {**parts, "mandate": {one["mandate"] for one in held if one["role"] == "accountable"}}
