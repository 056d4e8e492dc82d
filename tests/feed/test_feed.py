"""The log as pages: who hears of what, in which order, and where one goes on."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from house import VILLAGE
from listener import heard, sequence
from support import Agency, SignIn

from app.db import Database, value
from app.security import verify
from app.services import callers, feed
from app.services.listeners import words

CLOUDEVENT = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}


async def kinds_of(agency: Agency, task_id: str) -> list[str]:
    """The kinds of events that an agency hears of a task."""
    return [one["type"] for one in await heard(agency) if one["data"]["task"] == task_id]


# the envelope


async def test_an_event_is_a_cloudevent_that_says_what_happened(database: Database, kpu: Agency) -> None:
    logged = await kpu.log()
    await kpu.post(f"/v1/tasks/{logged['id']}/comments", {"body": "Sudah"}, headers={"Acting-User": "staf-7"})
    await sequence(database)
    found = [one for one in await heard(kpu) if one["data"]["task"] == logged["id"]]
    assert [one["type"] for one in found] == ["task.logged", "referral.sent", "task.commented"]
    first, sent, commented = found
    assert first.keys() == CLOUDEVENT | {"logindex", "recordedtime"}
    assert (first["specversion"], first["source"], first["dataschema"]) == ("1.0", "simpul", "/events/task.logged")
    assert (first["subject"], sent["subject"]) == (
        f"tasks/{logged['id']}",
        f"referrals/{logged['open_referral']['id']}",
    )
    assert first["data"]["facts"]["reference"] == logged["reference"]
    assert first["data"]["agency"] == kpu.code
    assert first["data"]["classification"] == logged["classification"]
    assert commented["data"]["acting_user"] == "staf-7"


async def test_what_people_wrote_is_told_to_those_who_hear(database: Database, kpu: Agency) -> None:
    logged = await kpu.log()
    moved = await kpu.move(logged["id"], "cancel", reason="Salah catat")
    assert moved.status_code == 200, moved.text
    await sequence(database)
    last = [one for one in await heard(kpu) if one["data"]["task"] == logged["id"]][-1]
    assert last["data"]["facts"]["reason"] == "Salah catat"
    assert (last["data"]["facts"]["from"], last["data"]["facts"]["to"]) == ("assigned", "cancelled")


async def test_the_thin_form_of_a_restricted_matter_carries_ids_only(database: Database, kpu: Agency) -> None:
    told = {
        name: await kpu.log(title="kenari-tipis", description="kenari-tipis", classification=name)
        for name in ("terbuka", "terbatas")
    }
    await sequence(database)
    found = await heard(kpu, types="task.logged")
    for name, logged in told.items():
        whole = next(one for one in found if one["data"]["task"] == logged["id"])
        thin = feed.thin(whole)
        if name == "terbuka":
            assert thin == whole
        else:
            assert thin["data"].keys() == {"object_type", "object_id", "task", "request_id"}
            assert {**thin, "data": {}} == {**whole, "data": {}}
            assert logged["reference"] not in json.dumps(thin)


# places


async def test_pages_bring_each_event_once_in_the_order_of_the_log(database: Database, kpu: Agency) -> None:
    for _ in range(4):
        await kpu.log()
    await sequence(database)
    whole = await heard(kpu)
    places = [one["logindex"] for one in whole]
    assert places == sorted(set(places))
    small: list[dict[str, Any]] = []
    after = 0
    while True:
        page = (await kpu.get(f"/v1/events?after={after}&limit=3")).json()
        assert len(page["items"]) <= 3
        small += page["items"]
        if page["after"] == after:
            break
        after = page["after"]
    assert small == whole


async def test_a_page_may_be_empty_and_still_moves_on(
    database: Database, kpu: Agency, operator: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sequence(database)
    size = await end(database)
    for _ in range(3):
        await kpu.log()
    await sequence(database)
    monkeypatch.setattr(feed, "LOOKED_AT", 2)
    first = (await operator.get(f"/v1/events?after={size}")).json()
    assert (first["items"], first["after"]) == ([], size + 2)
    assert await heard(operator, after=size) == []


async def end(database: Database) -> int:
    async with database.working() as worker:
        return int(await value(worker, "select max(index) from log_entry"))


async def test_at_the_end_there_is_nothing_and_beyond_it_nobody_can_have_been(database: Database, kpu: Agency) -> None:
    await kpu.log()
    await sequence(database)
    size = await end(database)
    page = (await kpu.get(f"/v1/events?after={size}")).json()
    assert (page["items"], page["after"]) == ([], size)
    assert page["head"].count(".") == 2
    for accept in ("application/json", "text/event-stream"):
        refused = await kpu.get(f"/v1/events?after={size + 1}", headers={"Accept": accept})
        (fault,) = refused.json()["errors"]
        assert (refused.status_code, fault["parameter"], fault["code"]) == (400, "after", "too-large")


async def test_what_has_no_place_in_the_log_yet_is_not_told(database: Database, kpu: Agency) -> None:
    await sequence(database)
    logged = await kpu.log()
    assert await kinds_of(kpu, logged["id"]) == []
    await sequence(database)
    assert await kinds_of(kpu, logged["id"]) == ["task.logged", "referral.sent"]


# kinds


async def test_types_choose_kinds_and_families(database: Database, kpu: Agency) -> None:
    await kpu.log()
    await sequence(database)
    chosen = {one["type"] for one in await heard(kpu, types="task.logged,referral.*")}
    assert "task.logged" in chosen
    assert "referral.sent" in chosen
    assert {one for one in chosen if not one.startswith("referral.")} == {"task.logged"}
    assert {one["type"] for one in await heard(kpu, types=["task.logged", "referral.*"])} == chosen


@pytest.mark.parametrize("types", ["task.nope", "nope.*", "task", "task.*.*", "*", "", "Task.*"])
async def test_a_type_that_there_is_not_is_refused_and_never_echoed(kpu: Agency, types: str) -> None:
    answer = await kpu.get("/v1/events", params={"types": f"task.logged,{types}"})
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert (fault["parameter"], fault["code"]) == ("types", "unknown_type")
    assert fault["detail"] == "There is no such kind of event; `/events` lists them, `task.*` is a family."


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("text/event-stream;q=0.5, application/json", 200),
        ("text/html", 406),
        ("application/xml, image/*", 406),
        ("application/json;q=0", 406),
    ],
)
async def test_a_page_is_json_and_nothing_else(kpu: Agency, accept: str, status: int) -> None:
    answer = await kpu.get("/v1/events", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert answer.json()["code"] == "not-acceptable"


# who hears


async def test_strangers_hear_nothing_of_a_task_and_parties_all(
    database: Database, kpu: Agency, bkpsdm: Agency, kodim: Agency, operator: Agency, sign_in: SignIn
) -> None:
    logged = await kpu.log(title="kenari-dengar", description="kenari-dengar", region=VILLAGE)
    await sequence(database)
    for party in (kpu, bkpsdm):
        assert await kinds_of(party, logged["id"]) == ["task.logged", "referral.sent"]
    for stranger in (kodim, operator, await sign_in("KPU_KOTA_MALANG", "agency_admin")):
        found = json.dumps(await heard(stranger))
        assert logged["id"] not in found
        assert logged["reference"] not in found


async def test_operators_and_admins_hear_no_task_at_all(
    database: Database, kpu: Agency, operator: Agency, sign_in: SignIn
) -> None:
    await kpu.log(classification="terbuka")
    await sequence(database)
    for deaf in (operator, await sign_in("KPU_KOTA_MALANG", "agency_admin")):
        found = await heard(deaf)
        assert found
        assert {one["type"].partition(".")[0] for one in found}.isdisjoint({"task", "referral", "meeting"})


async def test_an_admin_hears_of_its_own_agencys_clients_only(
    database: Database, operator: Agency, client_of: SignIn, sign_in: SignIn
) -> None:
    own = await client_of("KPU_KOTA_MALANG", "viewer")
    other = await client_of("BAWASLU_KOTA_MALANG", "viewer")
    await sequence(database)
    admin = await sign_in("KPU_KOTA_MALANG", "agency_admin")
    made = {one["data"]["object_id"] for one in await heard(admin, types="client.*")}
    told = {one["data"]["object_id"] for one in await heard(operator, types="client.*")}
    assert other.credentials["client_id"] not in made
    assert {own.credentials["client_id"], other.credentials["client_id"]} <= told
    itself = {one["data"]["object_id"] for one in await heard(own, types="client.*")}
    assert itself == {own.credentials["client_id"]}


async def test_a_former_owner_hears_up_to_its_hand_over_and_no_further(
    database: Database, kpu: Agency, bkpsdm: Agency, bawaslu: Agency
) -> None:
    task = await bkpsdm.accept(await kpu.log(region=VILLAGE))
    handed = await bkpsdm.refer(task["id"], to_agency=bawaslu.code, function="monitoring")
    assert handed.status_code == 201, handed.text
    assert (await bawaslu.answer(handed.json()["id"], "accepted")).status_code == 200
    assert (await bawaslu.post(f"/v1/tasks/{task['id']}/comments", {"body": "Selanjutnya"})).status_code == 201
    await sequence(database)
    before = ["task.logged", "referral.sent", "referral.accepted", "referral.sent", "referral.accepted"]
    assert await kinds_of(bkpsdm, task["id"]) == before
    assert await kinds_of(bawaslu, task["id"]) == [*before, "task.commented"]


async def test_an_expert_hears_of_what_is_shared_with_it_and_of_nothing_else(
    database: Database, kpu: Agency, client_of: SignIn
) -> None:
    expert = await client_of("KODIM_0833_KOTA_MALANG", "expert")
    shared = await kpu.log(shares=[{"agency": "KODIM_0833_KOTA_MALANG", "level": "full"}])
    hidden = await kpu.log(classification="terbuka")
    await sequence(database)
    assert await kinds_of(expert, shared["id"]) == ["task.logged", "referral.sent"]
    assert await kinds_of(expert, hidden["id"]) == []


async def test_registry_events_name_no_staff_of_others(database: Database, operator: Agency, kpu: Agency) -> None:
    shown = await operator.get("/v1/agencies/KPU_KOTA_MALANG")
    changed = await operator.patch(
        "/v1/agencies/KPU_KOTA_MALANG",
        {"name_id": shown.json()["name_id"]},
        etag=shown.headers["etag"],
        headers={"Acting-User": "kenari-staf"},
    )
    assert changed.status_code == 200, changed.text
    await sequence(database)
    (own, *_), (others, *_) = [(await heard(one, types="agency.updated"))[::-1] for one in (operator, kpu)]
    assert own["id"] == others["id"]
    assert (own["data"]["acting_user"], others["data"]["acting_user"]) == ("kenari-staf", None)


# the words by which listeners are woken are never fewer than those who hear


async def test_whoever_hears_an_event_is_woken_for_it(
    database: Database, kpu: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency, sign_in: SignIn,
    client_of: SignIn,
) -> None:  # fmt: skip
    task = await bkpsdm.accept(await kpu.log(shares=[{"agency": "KODIM_0833_KOTA_MALANG", "level": "full"}]))
    handed = await bkpsdm.refer(task["id"], to_agency=bawaslu.code, function="monitoring")
    await bawaslu.answer(handed.json()["id"], "accepted")
    everybody = [
        *(kpu, bkpsdm, bawaslu, operator, await sign_in("KPU_KOTA_MALANG", "agency_admin")),
        await client_of("KODIM_0833_KOTA_MALANG", "expert"),
        await client_of("KPU_RI", "viewer"),
        await client_of("BKPSDM_KOTA_MALANG", "auditor"),
        await client_of("PANITIA_KECAMATAN_35_73_04", "officer"),
        await client_of("KEJARI_KOTA_MALANG", "viewer"),
    ]
    size = await sequence(database)
    async with database.working() as worker:
        audience = {
            index: set(await value(worker, "select words from app.audience(:known, 1)", known=index - 1))
            for index in range(1, size + 1)
        }
    for agency in everybody:
        claims = verify(database.keys, agency.token, at=datetime.now(UTC))
        async with database.reading() as reader:
            caller = await callers.identify(reader, claims, address="", acting_user=None, request_id="")
        told = await heard(agency)
        assert told
        unwoken = [one["logindex"] for one in told if not words(caller) & audience[one["logindex"]]]
        assert unwoken == [], agency.code
