"""What the stories expect in a field, read from an answer after its `when` has run."""

from __future__ import annotations

from typing import Any, Final

import httpx
from scenarios.story import expectations, matter, owned, owner_of, said, started
from scenarios.world import World

Json = dict[str, Any]

_NOBODYS_CASE: Final = "KODIM_0833_KOTA_MALANG"


async def check_category(world: World, story: Json, expect: Json) -> None:
    logger, task = await owned(world, owner_of(story))
    assert task["category"] == expect["value"]
    found = await logger.get("/v1/tasks", params={"category": expect["value"], "limit": 200})
    assert task["id"] in {one["id"] for one in found.json()["items"]}


async def check_status(world: World, story: Json, expect: Json) -> None:
    """The task reaches the status, and an outcome without its members is refused."""
    assert expect["value"] == "resolved"
    bakesbangpol = await world.agency(said(story, "logged_by"))
    owner = await world.agency(said(story, "attempted_agency"))
    query = owner_of(story)["query"]
    logged = await bakesbangpol.log(**matter(query), effective_at=said(story, "created_at"), proposed_owner=owner.code)
    await world.accept(bakesbangpol, logged, effective_at="2024-08-20T09:00:00+07:00")
    after_the_event = f"{said(story, 'activity_on')}T15:00:00+07:00"
    await owner.move(logged["id"], "start", effective_at=after_the_event)
    resolved: Json = {"outcome": "mitigated", "note": "Pakta integritas", "facts": {"participants": 642}}
    for missing, pointer in (("outcome", "/outcome"), ("note", "/note"), ("facts", "/facts/participants")):
        given = {name: value for name, value in resolved.items() if name != missing}
        refused = await owner.move(logged["id"], "resolve", **given, effective_at=after_the_event)
        _assert_missing(refused, pointer)
        assert (await bakesbangpol.read(logged["id"]))["status"] == "in_progress"
    moved = await owner.move(logged["id"], "resolve", **resolved, effective_at=after_the_event)
    assert moved.status_code == 200, moved.text
    shown = await bakesbangpol.read(logged["id"])
    assert {name: shown[name] for name in ("status", *resolved)} == {"status": expect["value"], **resolved}


def _assert_missing(answer: httpx.Response, pointer: str) -> None:
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation-failed"
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def check_required_fact(world: World, story: Json, expect: Json) -> None:
    """The task names the fact as required, is not resolved without it, and closes with it."""
    fact = expect["value"]
    logger, owner, task = await started(world, owner_of(story))
    resolve = next(one for one in task["available_transitions"] if one["action"] == "resolve")
    assert f"facts.{fact}" in resolve["requires"]
    without: Json = {"outcome": "mitigated", "note": story["title"]}
    _assert_missing(await owner.move(task["id"], "resolve", **without), f"/facts/{fact}")
    assert (await owner.read(task["id"]))["status"] == "in_progress"
    assert (await owner.move(task["id"], "resolve", **without, facts={fact: 40})).status_code == 200
    assert (await logger.move(task["id"], "confirm")).status_code == 200
    closed = await logger.read(task["id"])
    assert (closed["status"], closed["facts"]) == ("closed", {fact: 40})


async def check_priority(world: World, story: Json, expect: Json) -> None:
    """The owner raises it and the informed agency sees that."""
    warned = owner_of(story)
    _, task = await owned(world, warned, priority="medium")
    owner = await world.agency(warned["accountable"])
    etag = (await owner.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    raised = await owner.patch(f"/v1/tasks/{task['id']}", {"priority": expect["value"]}, etag=etag)
    assert raised.status_code == 200, raised.text
    informed = await world.agency(warned["informed_includes"][0])
    assert (await informed.read(task["id"]))["priority"] == expect["value"]


async def check_information_status(world: World, story: Json, expect: Json) -> None:
    """A claim is entered as what it is, moves only by whoever mapped it, and cites what refutes it."""
    kpu, reader = await world.agency("KPU_KOTA_MALANG"), await world.agency(_NOBODYS_CASE)
    known = next(part["data"]["information_status"] for part in story["given"])
    said_of_it = {"category": owner_of(story)["query"]["category"], "region": "35.73", "description": story["title"]}
    mapped = await kpu.post("/v1/vulnerabilities", {**said_of_it, "information_status": known})
    assert mapped.status_code == 201, mapped.text
    place, etag = f"/v1/vulnerabilities/{mapped.json()['id']}", mapped.headers["etag"]
    assert (await reader.get(place)).json()["information_status"] == known
    if expect["value"] == known:
        return
    found = {"information_status": expect["value"]}
    assert (await reader.patch(place, found, etag=etag)).status_code == 403
    assert (await kpu.patch(place, found, etag=etag)).status_code == 200
    assert (await kpu.patch(place, {"information_status": known}, etag=etag)).status_code == 412
    for cited in expectations(story, "instrument"):
        basis = {"source_type": "court_decision", "year": 2024, "reference": cited["instrument_id"]}
        assert (await kpu.post(f"{place}/evidence", basis)).status_code == 201
    shown = (await reader.get(place)).json()
    assert shown["information_status"] == expect["value"]
    assert [one["reference"] for one in shown["evidence"]] == [
        one["instrument_id"] for one in expectations(story, "instrument")
    ]


async def check_informed_role(world: World, story: Json, expect: Json) -> None:
    """The agency named as informed reads the case and can move nothing in it."""
    assert expect["value"] == "informed"
    case = next(one for one in expectations(story, "owner") if "informed_includes" in one)
    await _assert_part(world, case, case["informed_includes"][0], "informed")


async def check_supporting_role(world: World, story: Json, expect: Json) -> None:
    """The agency that may not be accountable supports where the matrix says so: in monitoring the same officials."""
    assert expect["value"] == "supporting"
    handled = next(one for one in expectations(story, "owner") if one["query"]["category"] == "asn_neutrality")
    watched = {**handled, "query": {**handled["query"], "function": "monitoring"}}
    barred = next(expectations(story, "refusal"))["attempt"]["agency"]
    await _assert_part(world, watched, barred, "supporting")


async def _assert_part(world: World, owner: Json, agency: str, role: str) -> None:
    logger, task = await owned(world, owner)
    assert agency in task[role]
    assigned = (await world.history(logger, task))["assignments"]
    assert [one["role"] for one in assigned if one["agency"] == agency] == [role]
    reader = await world.agency(agency)
    shown = await reader.read(task["id"])
    assert (shown["access"], shown["accountable"], shown["available_transitions"]) == ("full", owner["accountable"], [])
    assert (await reader.move(task["id"], "start")).status_code == 403
