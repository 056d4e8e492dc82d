"""Two instants: when a thing happened, and when it was recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from stories import Cast
from support import Agency, task

from app.db import Database
from app.rules.vocabulary import Status

MORNING, NOON = "2024-08-20T09:00:00+07:00", "2024-08-20T12:00:00+07:00"


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


@pytest.fixture
def within_a_month(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose setting bounds how far back a fact may lie."""
    bounded = database.settings.model_copy(update={"backdate_days": 30})
    monkeypatch.setattr(database, "settings", bounded)


def shifted(**by: float) -> str:
    return (datetime.now(UTC) + timedelta(**by)).isoformat()


def fault(answer: Any) -> tuple[int, str, str]:
    (only,) = answer.json()["errors"]
    return answer.status_code, only["pointer"], only["code"]


async def test_the_future_is_refused_wherever_an_instant_may_be_said(cast: Cast) -> None:
    later = shifted(minutes=5)
    logged = await cast.bring(Status.ASSIGNED)
    referral = logged["open_referral"]["id"]
    assert fault(await cast.logger.post("/v1/tasks", task(effective_at=later)))[1:] == ("/effective_at", "in_future")
    refusals = [
        await cast.owner.answer(referral, "accepted", effective_at=later),
        await cast.logger.move(logged["id"], "cancel", reason="x", effective_at=later),
    ]
    accepted = await cast.owner.accept(logged)
    refusals += [
        await cast.owner.move(accepted["id"], "start", effective_at=later),
        await cast.owner.refer(
            accepted["id"], to_agency="BAWASLU_KOTA_MALANG", function="monitoring", effective_at=later
        ),
    ]
    assert [fault(one) for one in refusals] == [(422, "/effective_at", "in_future")] * 4
    assert (await cast.owner.read(logged["id"]))["status"] == "accepted"


async def test_nothing_happens_before_what_happened_before_it(cast: Cast) -> None:
    logged = await cast.logger.log(effective_at=NOON)
    referral = logged["open_referral"]["id"]
    early = await cast.owner.answer(referral, "accepted", effective_at=MORNING)
    assert fault(early) == (422, "/effective_at", "before_previous")
    assert (await cast.owner.answer(referral, "received", effective_at=NOON)).status_code == 200
    accepted = await cast.owner.answer(referral, "accepted", effective_at="2024-08-21T09:00:00+07:00")
    assert accepted.json()["answered_at"] == "2024-08-21T02:00:00Z"
    started = await cast.owner.move(logged["id"], "start", effective_at="2024-08-21T08:59:59+07:00")
    assert fault(started) == (422, "/effective_at", "before_previous")
    assert (await cast.owner.move(logged["id"], "start", effective_at="2024-08-21T02:00:00Z")).status_code == 200


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("2024-08-20T09:00:00", "instant"),
        ("2024-08-20", "instant"),
        ("kemarin", "instant"),
        (1724119200, "instant"),
        ("2024-02-30T09:00:00+07:00", None),
        ("2024-08-20T25:00:00+07:00", None),
        ("0001-01-01T00:00:00+07:00", None),
        ("1944-12-31T23:59:59+00:00", "out_of_time"),
        ("2101-01-01T00:00:00+00:00", "out_of_time"),
    ],
)
async def test_an_instant_without_zone_or_sense_is_refused_at_its_place(
    said: Any, code: str | None, bakesbangpol: Agency
) -> None:
    status, pointer, found = fault(await bakesbangpol.post("/v1/tasks", task(effective_at=said)))
    assert (status, pointer) == (422, "/effective_at")
    assert code in {None, found}


async def test_history_shows_when_it_happened_and_when_it_was_recorded(cast: Cast) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    logged = await cast.logger.log(effective_at=MORNING)
    await cast.owner.accept(logged, effective_at=NOON)
    facts = (await cast.owner.get(f"/v1/tasks/{logged['id']}/history")).json()["items"]
    happened = {one["kind"]: one["effective_at"] for one in facts}
    assert happened == {
        "task.logged": "2024-08-20T02:00:00Z",
        "referral.sent": "2024-08-20T02:00:00Z",
        "referral.accepted": "2024-08-20T05:00:00Z",
    }
    recorded = [datetime.fromisoformat(one["recorded_at"]) for one in facts]
    assert recorded == sorted(recorded)
    assert before < recorded[0]
    assert logged["effective_at"] == "2024-08-20T02:00:00Z"


async def test_recorded_at_is_the_database_s_alone(bakesbangpol: Agency) -> None:
    refused = await bakesbangpol.post("/v1/tasks", task(recorded_at=MORNING))
    assert fault(refused)[:2] == (422, "/recorded_at")


async def test_the_law_is_asked_at_the_instant_at_which_the_task_was_logged(bakesbangpol: Agency) -> None:
    matter = {"category": "disinformation", "function": "handling", "variant": "takedown"}
    old = await bakesbangpol.log(**matter, effective_at="2024-10-20T23:59:59+07:00")
    new = await bakesbangpol.log(**matter, effective_at="2024-10-21T00:00:00+07:00")
    assert [one["open_referral"]["to_agency"] for one in (old, new)] == ["KOMINFO", "KOMDIGI"]
    assert [one["open_referral"]["mandate"] for one in (old, new)] == ["M56", "M57"]


async def test_a_draft_is_judged_by_the_law_of_its_submission(bakesbangpol: Agency) -> None:
    matter = {"category": "disinformation", "function": "handling", "variant": "takedown"}
    draft = await bakesbangpol.log(**matter, draft=True, effective_at="2024-10-20T10:00:00+07:00")
    submitted = await bakesbangpol.move(draft["id"], "submit", effective_at="2024-10-22T10:00:00+07:00")
    assert submitted.json()["open_referral"]["to_agency"] == "KOMDIGI"


@pytest.mark.usefixtures("within_a_month")
async def test_a_setting_bounds_how_far_back_a_fact_may_lie(cast: Cast) -> None:
    too_far = await cast.logger.post("/v1/tasks", task(effective_at=shifted(days=-30, minutes=-1)))
    assert fault(too_far) == (422, "/effective_at", "too_far_back")
    logged = await cast.logger.log(effective_at=shifted(days=-29))
    answer = await cast.owner.answer(
        logged["open_referral"]["id"], "accepted", effective_at=shifted(days=-30, minutes=-1)
    )
    assert answer.status_code == 422
    assert (await cast.owner.accept(logged, effective_at=shifted(days=-28)))["status"] == "accepted"


async def test_without_the_setting_the_story_of_2024_can_be_told(bakesbangpol: Agency) -> None:
    assert (await bakesbangpol.log(effective_at=MORNING))["effective_at"] == "2024-08-20T02:00:00Z"


async def test_a_matter_is_not_logged_before_it_happened(bakesbangpol: Agency) -> None:
    refused = await bakesbangpol.post("/v1/tasks", task(event_at=shifted(days=2)))
    assert fault(refused) == (422, "/event_at", "in_future")
    assert (await bakesbangpol.log(event_at=shifted(minutes=-2)))["event_at"]
