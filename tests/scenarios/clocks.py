"""When the stories' clocks run out: counted as a dry run, and told over HTTP on a task of the very matter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scenarios.story import expectations, matter, moment, owned, owner_of, somebody
from scenarios.world import World
from support import Agency

Json = dict[str, Any]

_DUE = {"type", "deadline_code", "clock_starts", "with_extension", "due_on", "due_at", "done_at", "clock_status"}


async def check_due(world: World, story: Json, expect: Json) -> None:
    """The clock starts by its event, is extended where the story says so, and ends when it says."""
    assert expect.keys() <= _DUE, f"unknown members in {expect}"
    counted = await _counted(world, expect)
    who, task = await _under_the_limit(world, story, counted)
    told = {"clock_starts_at": counted["clock_starts_at"], "occurred_at": _start(expect)}
    begun = await who.post(f"/v1/tasks/{task['id']}/clock-starts", told)
    assert begun.status_code == 201, begun.text
    clock = next(one for one in begun.json()["deadlines"] if one["code"] == expect["deadline_code"])
    if expect["with_extension"]:
        clock = await _moved(who, clock, "extend", reason="Keterangan tambahan", effective_at=clock["due_at"])
    _assert_due(clock, expect)
    assert clock["arithmetic"] == counted["arithmetic"]
    assert (await who.get(f"/v1/deadlines?task={task['id']}")).json()["items"][0]["due_at"] == clock["due_at"]
    if "done_at" in expect:
        clock = await _moved(who, clock, "meet", note=story["title"], effective_at=expect["done_at"])
        assert (clock["status"], moment(clock["met_at"])) == (expect["clock_status"], moment(expect["done_at"]))


def _start(expect: Json) -> str:
    """Stories name the day on which a clock starts; no hour of it makes a difference to a limit in days."""
    return f"{expect['clock_starts']}T10:00:00+07:00"


async def _counted(world: World, expect: Json) -> Json:
    asker = await world.agency("BAKESBANGPOL_KOTA_MALANG")
    asked = {"code": expect["deadline_code"], "region": "35.73", "started_at": _start(expect)}
    answer = await asker.get(
        "/v1/deadlines/computation", params={**asked, "extended": str(expect["with_extension"]).lower()}
    )
    assert answer.status_code == 200, answer.text
    _assert_due(answer.json(), expect)
    return dict(answer.json())


def _assert_due(shown: Json, expect: Json) -> None:
    assert moment(shown["due_at"]) == moment(expect["due_at"])
    assert shown["arithmetic"][-1]["on"] == expect["due_on"]
    assert not shown["provisional"]


async def _under_the_limit(world: World, story: Json, rule: Json) -> tuple[Agency, Json]:
    """A task that the limit is about: of an owner of the story if one has such a case, else a draft; and who tells."""
    for one in expectations(story, "owner"):
        query = one["query"]
        if query["function"] == rule["function"] and rule["category"] in {None, query["category"]}:
            _, task = await owned(world, one)
            return await world.agency(task["accountable"]), task
    logger = await somebody(world)
    about = {"category": rule["category"], "function": rule["function"], "region": "35.73"}
    return logger, await logger.log(**about, draft=True)


async def _moved(who: Agency, clock: Json, action: str, **said: Any) -> Json:
    here = f"/v1/deadlines/{clock['id']}"
    etag = (await who.get(here)).headers["etag"]
    answer = await who.post(f"{here}/transitions", {"action": action, **said}, etag=etag)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def check_agreed(world: World, story: Json, expect: Json) -> None:
    """Agencies agree on so many minutes, see when they end, and agree on more with a reason."""
    assert expect.keys() == {"type", "clock_starts", "minutes", "due_at"}
    logger = await somebody(world)
    task = await logger.log(**matter(owner_of(story)["query"]), effective_at=expect["clock_starts"])
    due = moment(expect["clock_starts"]) + timedelta(minutes=expect["minutes"])
    agreed = {"started_at": expect["clock_starts"], "due_at": due.isoformat(), "reason": story["title"]}
    made = await logger.post(f"/v1/tasks/{task['id']}/deadlines", agreed)
    assert made.status_code == 201, made.text
    shown = (await logger.read(task["id"]))["next_deadline"]
    assert (shown["kind"], moment(shown["due_at"])) == ("agreed", moment(expect["due_at"]))
    later = {"due_at": (due + timedelta(hours=1)).isoformat()}
    place, etag = made.headers["location"], made.headers["etag"]
    assert (await logger.patch(place, later, etag=etag)).status_code == 422
    revised = await logger.patch(place, {**later, "reason": "Disepakati lagi"}, etag=etag)
    assert moment(revised.json()["due_at"]) == due + timedelta(hours=1)
