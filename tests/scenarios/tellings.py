"""What the stories expect beyond ownership, each told over HTTP and read from an answer after its `when`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from scenarios.story import expectations, instant, matter, moment, owned, owner_of, said, somebody, started
from scenarios.world import World
from support import Agency

from app.rules.succession import Because

Json = dict[str, Any]


async def check_stage(world: World, _: Json, expect: Json) -> None:
    reader = await world.agency("KPU_KOTA_MALANG")
    answer = await reader.get(f"/v1/elections/{expect['election_code']}/stages")
    stage = next(one for one in answer.json()["items"] if one["code"] == expect["stage"])
    dates = {name: day for name, day in expect.items() if name not in {"type", "election_code", "stage"}}
    assert dates
    assert {name: stage[name] for name in dates} == dates


async def check_instrument(world: World, _: Json, expect: Json) -> None:
    reader = await world.agency("KPU_KOTA_MALANG")
    answer = await reader.get(f"/v1/legal-instruments/{expect['instrument_id']}")
    facts = {name: fact for name, fact in expect.items() if name not in {"type", "instrument_id"}}
    assert facts
    assert {name: answer.json()[name] for name in facts} == facts


async def check_reassigned(world: World, story: Json, expect: Json) -> None:
    """The job finds every open case under the row, and gives it to the successor; the old owner stays in history."""
    at, turn = said(story, "referred_at"), moment(said(story, "job_runs_at"))
    assert turn.date().isoformat() == expect["on"]
    assert expect["reason"] in set(Because)
    before = {"query": {**expect["query"], "referred_at": at}, "accountable": expect["from_agency"]}
    cases = [await owned(world, before) for _ in range(3)]
    assert {(case["accountable"], case["mandate"]) for _, case in cases} == {
        (expect["from_agency"], expect["from_mandate"])
    }
    await world.mandates_end()
    for reader, case in cases:
        after = await reader.read(case["id"])
        assert (after["accountable"], after["mandate"]) == (expect["to_agency"], expect["to_mandate"])
        history = await world.history(reader, case)
        owners = [
            (one["agency"], one["mandate"], moment(one["from_at"]), one["to_at"] and moment(one["to_at"]))
            for one in history["assignments"]
            if one["role"] == "accountable"
        ]
        assert owners == [
            (expect["from_agency"], expect["from_mandate"], moment(at), turn),
            (expect["to_agency"], expect["to_mandate"], turn, None),
        ]
        (told,) = [one for one in history["items"] if one["kind"] == "task.succeeded"]
        assert (told["facts"]["because"], moment(told["effective_at"])) == (expect["reason"], turn)
        for then_at, owner in ((turn - timedelta(seconds=1), "from_agency"), (turn, "to_agency")):
            then = await reader.get(f"/v1/tasks/{case['id']}", params={"as_of": then_at.isoformat()})
            assert then.json()["accountable"] == expect[owner]


async def check_hidden(world: World, story: Json, expect: Json) -> None:
    """Its parties read the case; for the agencies named it does not exist."""
    about = owner_of(story)
    owner = await world.agency(about["accountable"])
    task = await owner.log(**matter(about["query"]), effective_at=instant(about["query"]))
    place = f"/v1/tasks/{task['id']}"
    for code in (owner.code, *about["supporting_includes"]):
        party = await world.agency(code)
        assert (await party.read(task["id"]))["access"] == "full"
        assert await _lists(party, task)
    for code in expect["hidden_from"]:
        stranger = await world.agency(code)
        for part in ("", "/history", "/comments", "/transitions", "/shares"):
            assert (await stranger.get(place + part)).status_code == 404, part
        assert not await _lists(stranger, task)


async def _lists(reader: Agency, task: Json) -> bool:
    answer = await reader.get("/v1/tasks", params={"category": task["category"], "limit": 200})
    assert answer.status_code == 200, answer.text
    assert answer.json()["next_cursor"] is None
    return task["id"] in {one["id"] for one in answer.json()["items"]}


async def check_informed(world: World, story: Json, expect: Json) -> None:
    """What reaches so far is known to the forum and all its members, each by its own client; a local rumour is not."""
    assert expect["role"] == "informed"
    about = owner_of(story)
    _, local = await owned(world, about, vulnerabilities=[await _rumour(world, story, "local")])
    _, viral = await owned(world, about, vulnerabilities=[await _rumour(world, story, said(story, "reach_level"))])
    assert not {*expect["agencies"]} & {*local["informed"]}
    assert {*expect["agencies"]} <= {*viral["informed"]}
    for code in expect["agencies"]:
        member = await world.agency(code)
        assert (await member.get(f"/v1/tasks/{local['id']}")).status_code == 404
        shown = await member.read(viral["id"])
        assert (shown["access"], shown["available_transitions"]) == ("full", [])
        assigned = (await world.history(member, viral))["assignments"]
        assert [one["role"] for one in assigned if one["agency"] == code] == [expect["role"]]


async def _rumour(world: World, story: Json, reach: str) -> str:
    mapper = await somebody(world, owner_of(story)["accountable"])
    query = owner_of(story)["query"]
    rumour = {"category": query["category"], "region": query["region_code"], "description": story["title"]}
    rumour |= {"information_status": said(story, "information_status"), "reach_level": reach}
    mapped = await mapper.post("/v1/vulnerabilities", {**rumour, "effective_at": instant(query)})
    assert mapped.status_code == 201, mapped.text
    return str(mapped.json()["id"])


async def check_conflict(world: World, story: Json, expect: Json) -> None:
    """Accept and withdraw race with the same version in hand: one wins, the other is told so, the log has one fact."""
    receiver, sender = [await world.agency(code) for code in said(story, "agencies")]
    for _ in range(4):
        task = await sender.log(category="polri_neutrality", effective_at="2024-11-10T11:00:00+07:00")
        assert task["open_referral"]["to_agency"] == receiver.code
        place = f"/v1/referrals/{task['open_referral']['id']}"
        his, ours = await receiver.get(place), await sender.get(place)
        assert his.json()["version"] == ours.json()["version"]
        answers = await asyncio.gather(
            receiver.post(f"{place}/response", {"answer": "accepted"}, etag=his.headers["etag"]),
            sender.post(f"{place}/withdrawal", {}, etag=ours.headers["etag"]),
        )
        lost = [answer for answer in answers if answer.status_code == expect["http_status"]]
        won = [answer for answer in answers if answer.status_code == 200]
        assert (len(won), len(lost)) == (expect.get("winners", 1), expect.get("losers", 1))
        assert lost[0].json()["code"] == "stale-version"
        ended = won[0].json()["status"]
        assert (await sender.read(task["id"]))["status"] == {"accepted": "accepted", "withdrawn": "returned"}[ended]
        facts = [fact["kind"] for fact in (await world.history(sender, task))["items"]]
        ends = [kind for kind in facts if kind in {"referral.accepted", "referral.withdrawn"}]
        assert ends == [f"referral.{ended}"]


async def check_polled_twice(world: World, story: Json, expect: Json) -> None:
    """Whoever polls the feed logs each warned district under the warning's number; the second poll creates nothing."""
    bpbd = await world.agency("BPBD_KOTA_MALANG")
    warned = [one["query"] for one in expectations(story, "owner")]
    codes = []
    for _ in range(2):
        for query in warned:
            numbered = f"{said(story, 'identifier')}/{query['region_code']}"
            body = {"title": said(story, "event"), "description": said(story, "description"), **matter(query)}
            body |= {"effective_at": instant(query), "external_reference": numbered}
            answer = await bpbd.post("/v1/tasks", body)
            codes.append(answer.json().get("code", answer.status_code))
    assert codes == [201] * len(warned) + ["duplicate-external-reference"] * len(warned)
    made = await bpbd.get("/v1/tasks", params={"logged_by": bpbd.code, "count": "exact"})
    assert made.json()["count"]["value"] == expect["task_count"]


async def check_sent_twice(world: World, story: Json, expect: Json) -> None:
    """As many tasks as rows, each with its key; sent again they are answered as before and nothing is added."""
    about = owner_of(story)
    bawaslu = await somebody(world, about["accountable"])
    tms = {"category": about["query"]["category"], "region": about["query"]["region_code"], "description": "TMS"}
    found = await bawaslu.post("/v1/vulnerabilities", tms)
    said_of_all = {**matter(about["query"]), "effective_at": instant(about["query"])}
    said_of_all |= {"title": story["title"], "description": "TMS", "vulnerabilities": [found.json()["id"]]}
    at_once = asyncio.Semaphore(4)

    async def send(station: int) -> httpx.Response:
        async with at_once:
            body = {**said_of_all, "polling_station": str(station)}
            answer = await bawaslu.post("/v1/tasks", body, headers={"Idempotency-Key": f"tms-{station}"})
            assert answer.status_code == 201, answer.text
            return answer

    stations = range(1, said(story, "rows") + 1)
    first = [await send(stations[0]), *await asyncio.gather(*(send(station) for station in stations[1:]))]
    again = await asyncio.gather(*(send(station) for station in stations))
    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert {answer.headers.get("idempotent-replayed") for answer in first} == {None}
    assert {answer.headers.get("idempotent-replayed") for answer in again} == {"true"}
    made = await bawaslu.get("/v1/tasks", params={"vulnerability": found.json()["id"], "count": "exact"})
    assert made.json()["count"]["value"] == said(story, "rows") <= expect["task_count_max"]


async def check_finding(world: World, story: Json, _: Json) -> None:
    """The supervisor to whom the incident is shown adds what it found and can change nothing of the owner's."""
    about = owner_of(story)
    owner, bawaslu = await world.agency(about["accountable"]), await world.agency("BAWASLU_KOTA_MALANG")
    shares = [{"agency": bawaslu.code, "level": "full"}]
    task = await owner.log(**matter(about["query"]), effective_at=instant(about["query"]), shares=shares)
    place = f"/v1/tasks/{task['id']}"
    etag = (await bawaslu.get(place)).headers["etag"]
    assert (await bawaslu.post(f"{place}/comments", {"body": "Temuan: 38 lembar"})).status_code == 201
    assert (await bawaslu.patch(place, {"description": "38 lembar"}, etag=etag)).status_code == 403
    facts = {"outcome": "mitigated", "note": "38 lembar", "facts": {"replaced_ballots": 38}}
    assert (await bawaslu.move(task["id"], "resolve", **facts)).status_code == 403
    unchanged = await owner.read(task["id"])
    assert (unchanged["version"], unchanged["facts"]) == (task["version"], {})
    said_of_it = (await owner.get(f"{place}/comments")).json()["items"]
    assert [(one["agency"], one["body"]) for one in said_of_it] == [(bawaslu.code, "Temuan: 38 lembar")]


async def check_case_goes_on(world: World, story: Json, _: Json) -> None:
    """The take-down is closed; the case of the same video stays where it was."""
    takedown = next(one for one in expectations(story, "owner") if one["accountable"] == "KOMDIGI")
    watched = next(one for one in expectations(story, "owner") if one["mandate_id"] == "M55")
    case_query = {**watched["query"], "function": "handling", "variant": "crime"}
    case = (await started(world, {"query": case_query, "accountable": "GAKKUMDU_KOTA_MALANG"}))[2]
    asker, komdigi, blocked = await started(world, takedown)
    done = await komdigi.move(blocked["id"], "resolve", outcome="mitigated", note="Konten diturunkan")
    assert done.status_code == 200, done.text
    assert (await asker.move(blocked["id"], "confirm")).json()["status"] == "closed"
    bawaslu = await world.agency("BAWASLU_KOTA_MALANG")
    assert (await bawaslu.read(case["id"]))["status"] == "in_progress"
