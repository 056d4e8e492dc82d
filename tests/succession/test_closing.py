"""Closing a mandate takes two operators and a dry run that still holds; then its tasks go to whoever follows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from scenarios.story import moment
from scenarios.world import World, open_world
from succession.ends import Ends
from support import Agency

from app.db import Database
from app.services import sequencer
from app.settings import Settings

Json = dict[str, Any]

PLACE = "/v1/mandates/M03/closure"
HANDLING: Json = {"category": "asn_neutrality", "function": "handling", "region": "35.73"}
WHY: Json = {"reason": "Putusan MK mengalihkan kewenangan.", "legal_basis": ["uu_20_2023"]}
LOGGED = "2024-09-02T09:00:00+07:00"
TODAY = datetime.now(timezone(timedelta(hours=7))).date()
SUCCESSOR: Json = {"id": "M903", "accountable": "BKN@national", "legal_basis": ["uu_20_2023"]}


@pytest.fixture
async def closing(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[Json]
) -> AsyncIterator[World]:
    async with open_world(await clone(), settings, credentials) as world:
        yield world


@pytest.fixture
async def second(closing: World) -> Agency:
    operators = [one for one in closing.credentials if one["role"] == "operator"]
    return await Agency(closing.http, operators[1]).sign_in()


@pytest.fixture
async def ends(closing: World, settings: Settings) -> AsyncIterator[Ends]:
    database = Database(closing.url, settings)
    yield Ends(closing, database)
    await database.close()


async def preview(operator: Agency, **asked: str) -> httpx.Response:
    answer = await operator.get(PLACE, params=asked)
    assert answer.status_code == 200, answer.text
    return answer


async def propose(operator: Agency, *, day: str, etag: str | None = None, **said: Any) -> httpx.Response:
    follows = {"successor": said["successor"]["accountable"]} if "successor" in said else {}
    seen = etag or (await preview(operator, valid_to=day, **follows)).headers["etag"]
    return await operator.post(PLACE, {"valid_to": day, **WHY, **said}, etag=seen)


async def respond(operator: Agency, answer: str, *, etag: str | None = None) -> httpx.Response:
    seen = etag or (await preview(operator)).headers["etag"]
    return await operator.post(f"{PLACE}/response", {"answer": answer}, etag=seen)


async def logged(world: World, **said: Any) -> tuple[Agency, Json]:
    bawaslu = await world.agency("BAWASLU_KOTA_MALANG")
    return bawaslu, await bawaslu.log(**HANDLING, effective_at=LOGGED, title="Rahasia dapur", **said)


async def test_two_operators_close_a_row_and_its_open_tasks_go_to_the_row_that_follows(
    closing: World, second: Agency, ends: Ends
) -> None:
    bawaslu, task = await logged(closing)
    day = TODAY.isoformat()
    seen = await preview(closing.operator, valid_to=day, successor="BKN@national")
    fate = {"fate": "succeeded", "from_agency": bawaslu.code, "to_agency": "BKN", "to_mandate": "M03'"}
    assert {**fate, "tasks": 1, "referrals": 0} in seen.json()["fates"]
    assert task["reference"] in seen.json()["references"]
    assert "Rahasia" not in seen.text
    assert seen.json()["proposal"] is None
    proposed = await propose(closing.operator, day=day, etag=seen.headers["etag"], successor=SUCCESSOR)
    assert proposed.status_code == 200, proposed.text
    assert proposed.json()["fates"][0]["to_mandate"] == "M903"
    before = (await second.get("/v1/mandates/M03")).json()
    assert before["valid_to"] is None, "one operator alone changes nothing"
    alone = await respond(closing.operator, "confirmed")
    assert (alone.status_code, alone.json()["code"]) == (422, "four-eyes")
    confirmed = await respond(second, "confirmed")
    assert confirmed.status_code == 200, confirmed.text
    assert confirmed.json()["proposal"]["status"] == "confirmed"
    after = (await second.get("/v1/mandates/M03")).json()
    assert after == {**before, "valid_to": day, "version": before["version"] + 1}
    follows = (await second.get("/v1/mandates/M903")).json()
    assert (follows["valid_from"], follows["accountable"]) == (day, "BKN@national")
    await ends.come()
    moved = await bawaslu.read(task["id"])
    assert (moved["accountable"], moved["mandate"]) == ("BKN", "M903")
    midnight = moment(f"{day}T00:00:00+07:00")
    assert await ends.owners(bawaslu, task) == [
        (bawaslu.code, "M03", moment(LOGGED), midnight),
        ("BKN", "M903", midnight, None),
    ]


async def test_a_referral_sent_before_a_row_was_closed_backwards_goes_on_at_once_as_the_dry_run_said(
    closing: World, second: Agency, ends: Ends
) -> None:
    bakesbangpol = await closing.agency("BAKESBANGPOL_KOTA_MALANG")
    task = await bakesbangpol.log(**HANDLING, title="Menunggu")
    assert task["open_referral"]["mandate"] == "M03"
    day = TODAY.isoformat()
    proposed = await propose(closing.operator, day=day, successor=SUCCESSOR)
    fate = {"fate": "succeeded", "from_agency": "BAWASLU_KOTA_MALANG", "to_agency": "BKN", "to_mandate": "M903"}
    assert {**fate, "tasks": 0, "referrals": 1} in proposed.json()["fates"]
    assert (await respond(second, "confirmed")).status_code == 200
    await ends.come()
    waits = (await bakesbangpol.read(task["id"]))["open_referral"]
    assert (waits["to_agency"], waits["mandate"]) == ("BKN", "M903")


async def test_everybody_hears_of_a_closure_and_reads_the_matrix_before_and_after(
    closing: World, second: Agency, ends: Ends
) -> None:
    day = (TODAY - timedelta(days=30)).isoformat()
    assert (await propose(closing.operator, day=day, successor=SUCCESSOR)).status_code == 200
    assert (await respond(second, "confirmed")).status_code == 200
    await _sequenced(ends)
    bpbd = await closing.agency("BPBD_KOTA_MALANG")
    heard: list[Json] = []
    for kind in ("mandate.closure_proposed", "mandate.closed", "mandate.created"):
        found = await bpbd.get("/v1/events", params={"types": kind, "after": 0, "limit": 200})
        heard += [one for one in found.json()["items"] if one["subject"].partition("/")[2] in {"M03", "M903"}]
    assert len(heard) == 3, heard
    for at, row in ((f"{day}T00:00:00+07:00", "M903"), (LOGGED, "M03")):
        asked = {"category": "asn_neutrality", "function": "handling", "as_of": at}
        listed = (await bpbd.get("/v1/mandates", params=asked)).json()["items"]
        assert {one["id"] for one in listed} == {row, "M08"}


async def _sequenced(ends: Ends) -> None:
    async with ends.database.working() as writer:
        await sequencer.sequence(writer, head_every=0)


async def test_a_dry_run_that_no_longer_holds_is_refused_to_both(closing: World, second: Agency) -> None:
    day = TODAY.isoformat()
    stale = (await preview(closing.operator, valid_to=day)).headers["etag"]
    await logged(closing)
    refused = await propose(closing.operator, day=day, etag=stale)
    assert (refused.status_code, refused.json()["code"]) == (412, "stale-version")
    assert (await propose(closing.operator, day=day)).status_code == 200
    stale = (await preview(second)).headers["etag"]
    await logged(closing)
    refused = await respond(second, "confirmed", etag=stale)
    assert (refused.status_code, refused.json()["code"]) == (412, "stale-version")
    assert (await closing.operator.get("/v1/mandates/M03")).json()["valid_to"] is None
    assert (await respond(second, "confirmed")).status_code == 200


async def created(operator: Agency) -> Agency:
    answer = await operator.post("/v1/clients", {"agency": None, "role": "operator", "purpose": "Pengganti"})
    assert answer.status_code == 201, answer.text
    return await Agency(operator.http, answer.json()).sign_in()


async def test_an_operator_who_makes_a_second_one_is_no_two_persons(closing: World, second: Agency) -> None:
    child = await created(closing.operator)
    grandchild, sibling = await created(child), await created(closing.operator)
    assert (await propose(child, day=TODAY.isoformat())).status_code == 200
    for same in (child, closing.operator, grandchild, sibling):
        refused = await respond(same, "confirmed")
        assert (refused.status_code, refused.json()["code"]) == (422, "four-eyes")
    assert (await closing.operator.get("/v1/mandates/M03")).json()["valid_to"] is None
    assert (await respond(await created(second), "confirmed")).status_code == 200


async def test_an_operator_who_gives_the_second_one_a_secret_is_no_two_persons(closing: World, second: Agency) -> None:
    secrets = f"/v1/clients/{second.credentials['client_id']}/secrets"
    rotated = await closing.operator.post(secrets, {"overlap_days": 1, "reason": "Serah terima"})
    assert rotated.status_code == 201, rotated.text
    assert (await propose(closing.operator, day=TODAY.isoformat())).status_code == 200
    taken = await Agency(second.http, {**second.credentials, **rotated.json()}).sign_in()
    refused = await respond(taken, "confirmed")
    assert (refused.status_code, refused.json()["code"]) == (422, "four-eyes")


async def test_a_proposal_is_answered_once_and_whoever_made_it_may_take_it_back(closing: World, second: Agency) -> None:
    day = TODAY.isoformat()
    nothing = await closing.operator.get(PLACE)
    assert (nothing.status_code, nothing.json()["code"]) == (400, "invalid-parameter")
    assert (await respond(second, "confirmed", etag='"1"')).json()["code"] == "transition-not-allowed"
    assert (await propose(closing.operator, day=day)).status_code == 200
    again = await propose(second, day=day)
    assert (again.status_code, again.json()["code"]) == (409, "transition-not-allowed")
    assert (await respond(closing.operator, "rejected")).json()["proposal"]["status"] == "rejected"
    assert (await closing.operator.get("/v1/mandates/M03")).json()["valid_to"] is None
    assert (await propose(second, day=day)).status_code == 200


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"valid_to": "2018-01-01"}, "/valid_to"),
        ({"legal_basis": ["uu_0_0000"]}, "/legal_basis/0"),
        ({"successor": {**SUCCESSOR, "id": "M04"}}, "/successor/id"),
        ({"successor": {**SUCCESSOR, "valid_to": "2019-01-01"}}, "/successor/valid_to"),
    ],
)
async def test_what_would_not_stand_is_not_proposed(closing: World, said: Json, pointer: str) -> None:
    etag = (await preview(closing.operator, valid_to=TODAY.isoformat())).headers["etag"]
    refused = await closing.operator.post(PLACE, {"valid_to": TODAY.isoformat(), **WHY, **said}, etag=etag)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_an_end_comes_earlier_never_later_and_two_offices_are_never_accountable_at_once(
    closing: World, second: Agency
) -> None:
    place = "/v1/mandates/M05/closure"
    earlier, later = "2024-08-23", "2024-08-25"
    unseen = await closing.operator.get(place, params={"valid_to": later})
    assert (unseen.status_code, unseen.json()["errors"][0]["parameter"]) == (400, "valid_to")
    refused = await closing.operator.post(place, {"valid_to": later, **WHY}, etag='"1"')
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/valid_to")
    etag = (await closing.operator.get(place, params={"valid_to": earlier})).headers["etag"]
    both = {"valid_to": earlier, **WHY, "successor": SUCCESSOR}  # open: it would overlap with M06
    refused = await closing.operator.post(place, both, etag=etag)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "overlap")
    fits = {**both, "successor": {**SUCCESSOR, "valid_to": "2024-08-24"}}
    etag = (await closing.operator.get(place, params={"valid_to": earlier, "successor": "BKN@national"})).headers[
        "etag"
    ]
    assert (await closing.operator.post(place, fits, etag=etag)).status_code == 200
    etag = (await second.get(place)).headers["etag"]
    done = await second.post(f"{place}/response", {"answer": "confirmed"}, etag=etag)
    assert done.status_code == 200, done.text


async def test_nothing_that_is_rahasia_shows_and_no_agency_sees_a_dry_run(closing: World) -> None:
    day = TODAY.isoformat()
    before = await preview(closing.operator, valid_to=day)
    bawaslu, _ = await logged(closing, classification="rahasia")
    after = await preview(closing.operator, valid_to=day)
    assert (before.content, before.headers["etag"]) == (after.content, after.headers["etag"])
    refused = await bawaslu.get(PLACE, params={"valid_to": day})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied")
    unknown = await closing.operator.get("/v1/mandates/M999/closure", params={"valid_to": day})
    assert unknown.status_code == 404


async def test_a_row_that_ends_in_the_future_moves_nothing_yet(closing: World, second: Agency, ends: Ends) -> None:
    bawaslu, task = await logged(closing)
    day = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    assert (await propose(closing.operator, day=day, successor=SUCCESSOR)).status_code == 200
    assert (await respond(second, "confirmed")).status_code == 200
    await ends.come()
    assert await bawaslu.read(task["id"]) == task
