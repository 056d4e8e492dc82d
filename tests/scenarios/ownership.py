"""Who owns a matter and who is refused: asked as a dry run, and proved by tasks and referrals really made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from scenarios.story import instant, matter, moment, owned, resolution, somebody
from scenarios.world import World
from support import Agency, task

Json = dict[str, Any]

_OWNER = {"type", "query", "accountable", "mandate_id", "supporting_includes", "informed_includes"}
_REFUSAL = {
    "type",
    "attempt",
    "query",
    "refusal_kind",
    "http_status",
    "competent_agency",
    "mandate_id",
    "problem_code",
}


async def check_owner(world: World, _: Json, expect: Json) -> None:
    assert expect.keys() <= _OWNER, f"unknown members in {expect}"
    await asked(world, expect)
    await logged(world, expect)
    await logged_by_the_owner(world, expect)
    await referred(world, expect)


async def asked(world: World, expect: Json) -> None:
    answer = await resolution(world, expect["query"])
    assert answer["outcome"] == "resolved", answer
    found = answer["accountable"]
    assert (found["agency"], found["mandate"]) == (expect["accountable"], expect["mandate_id"])
    _assert_beside(answer, expect)


def _assert_beside(shown: Json, expect: Json) -> None:
    assert set(expect.get("supporting_includes", [])) <= set(shown["supporting"]), shown["supporting"]
    assert set(expect.get("informed_includes", [])) <= set(shown["informed"]), shown["informed"]


async def logged(world: World, expect: Json) -> None:
    """Somebody else logs the matter: it is referred to the owner, who is accountable once it accepts."""
    logger = await somebody(world, expect["accountable"])
    at = instant(expect["query"])
    assigned = await logger.log(**matter(expect["query"]), effective_at=at)
    referral = assigned["open_referral"]
    assert (referral["to_agency"], referral["mandate"]) == (expect["accountable"], expect["mandate_id"])
    assert (assigned["status"], assigned["holder"], assigned["accountable"]) == ("assigned", logger.code, None)
    _assert_beside(assigned, expect)
    await _assert_owned(world, logger, await world.accept(logger, assigned, effective_at=at), expect)


async def _assert_owned(world: World, reader: Agency, accepted: Json, expect: Json) -> None:
    owner = expect["accountable"]
    assert (accepted["status"], accepted["accountable"], accepted["holder"]) == ("accepted", owner, owner)
    assert accepted["mandate"] == expect["mandate_id"]
    _assert_beside(accepted, expect)
    parts = {
        (one["agency"], one["role"], one["mandate"], moment(one["from_at"]))
        for one in (await world.history(reader, accepted))["assignments"]
        if one["to_at"] is None
    }
    at = moment(instant(expect["query"]))
    roles = {
        "accountable": [owner],
        "supporting": expect.get("supporting_includes", []),
        "informed": expect.get("informed_includes", []),
    }
    assert {(one, role, expect["mandate_id"], at) for role, those in roles.items() for one in those} <= parts


async def logged_by_the_owner(world: World, expect: Json) -> None:
    """A logger that is itself competent owns the task at once."""
    owner = await world.agency(expect["accountable"]) if expect["accountable"] in _first(world) else None
    if owner is not None:
        said = {**matter(expect["query"]), "effective_at": instant(expect["query"])}
        accepted = await owner.log(**said, proposed_owner=owner.code)
        assert accepted["open_referral"] is None
        await _assert_owned(world, owner, accepted, expect)


def _first(world: World) -> set[str]:
    return {one["agency"] for one in world.credentials}


async def referred(world: World, expect: Json) -> None:
    """Where the matter is referred and some body handles such cases first, it refers the case to the owner."""
    case = await _handled(world, expect["query"])
    if case is None:
        return
    logger, sender, handled = case
    query, at = expect["query"], instant(expect["query"])
    letter = {"number": "120/PM.00.02/2024", "date": "2024-08-15", "classification": "terbatas", "urgency": "segera"}
    sent = await sender.refer(
        handled["id"],
        to_agency=expect["accountable"],
        function=query["function"],
        variant=query.get("variant"),
        letter=letter,
        effective_at=at,
    )
    assert sent.status_code == 201, sent.text
    assert (sent.json()["to_agency"], sent.json()["mandate"]) == (expect["accountable"], expect["mandate_id"])
    assert sent.json()["letter"] == letter
    waiting = await sender.read(handled["id"])
    assert waiting["accountable"] == sender.code  # it changes hands only on acceptance
    left = await world.accept(sender, waiting, effective_at=at)
    accepted = await logger.read(handled["id"])
    kept = "full" if sender.code in {*accepted["supporting"], *accepted["informed"]} else "summary"
    assert (left["access"], left["accountable"]) == (kept, expect["accountable"])
    assert (accepted["function"], accepted["variant"]) == (query["function"], query.get("variant"))
    worked = [one for one in (await world.history(sender, handled))["assignments"] if one["agency"] == sender.code]
    assert ("accountable", moment(at)) in {(one["role"], one["to_at"] and moment(one["to_at"])) for one in worked}
    await _assert_owned(world, logger, accepted, expect)


async def _handled(world: World, query: Json) -> tuple[Agency, Agency, Json] | None:
    """A case of the same kind, handled since the day before by the body competent for that: logger, handler, task."""
    if "referred_at" not in query or query["function"] == "handling":
        return None
    before = (moment(query["referred_at"]) - timedelta(days=1)).isoformat()
    handling = {name: said for name, said in query.items() if name not in {"variant", "referred_at"}}
    handling |= {"function": "handling", "created_at": before}
    answer = await resolution(world, handling)
    if answer["accountable"] is None:
        return None
    handler = answer["accountable"]["agency"]
    logger, accepted = await owned(world, {"query": handling, "accountable": handler})
    return logger, await world.agency(handler), accepted


async def check_refusal(world: World, _: Json, expect: Json) -> None:
    assert expect.keys() <= _REFUSAL, f"unknown members in {expect}"
    assert expect["attempt"]["role"] == "accountable"
    attempted, competent = expect["attempt"]["agency"], expect["competent_agency"]
    logger = await somebody(world, competent or attempted)
    body = task(
        **matter(expect["query"]), effective_at=instant(expect["query"]), external_reference=f"refused-{uuid4()}"
    )
    _assert_refused(await logger.post("/v1/tasks", {**body, "proposed_owner": attempted}), expect)
    assert await _count(logger, body) == 0
    await _refused_as_receiver(world, expect)
    if competent is not None:
        made = await logger.log(**{**body, "proposed_owner": competent})
        assert made["open_referral"]["to_agency"] == competent
        assert await _count(logger, body) == 1


def _assert_refused(answer: httpx.Response, expect: Json) -> None:
    assert answer.status_code == expect["http_status"], answer.text
    problem = answer.json()
    assert {name: problem[name] for name in ("code", "refusal_kind", "competent_agency", "mandate", "agency")} == {
        "code": expect["problem_code"],
        "refusal_kind": expect["refusal_kind"],
        "competent_agency": expect["competent_agency"],
        "mandate": expect["mandate_id"],
        "agency": expect["attempt"]["agency"],
    }


async def _count(reader: Agency, body: Json) -> int:
    params = {"external_reference": body["external_reference"], "count": "exact"}
    answer = await reader.get("/v1/tasks", params=params)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == answer.json()["count"]["value"]
    return int(answer.json()["count"]["value"])


async def _refused_as_receiver(world: World, expect: Json) -> None:
    """Nor can a case be referred to it."""
    case = await _handled(world, expect["query"])
    if case is not None:
        _, sender, handled = case
        query = expect["query"]
        answer = await sender.refer(
            handled["id"],
            to_agency=expect["attempt"]["agency"],
            function=query["function"],
            variant=query.get("variant"),
            effective_at=instant(query),
        )
        _assert_refused(answer, expect)
        assert (await sender.read(handled["id"]))["open_referral"] is None
