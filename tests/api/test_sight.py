"""What a partial sight must not give away: filters, counts, and ids named in bodies."""

import asyncio
from base64 import urlsafe_b64decode
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support import Agency, SignIn, task

VILLAGE = "35.73.04.1011"


async def found(agency: Agency, task_id: str, **filters: str) -> bool:
    answer = await agency.get("/v1/tasks", params={"sort": "-recorded_at", "region": VILLAGE, **filters})
    assert answer.status_code == 200, answer.text
    return task_id in [item["id"] for item in answer.json()["items"]]


async def test_a_reader_of_the_summary_cannot_filter_by_what_it_does_not_see(bakesbangpol: Agency, kpu: Agency) -> None:
    mapped = await bakesbangpol.post(
        "/v1/vulnerabilities",
        {
            "category": "asn_neutrality",
            "description": "Grup percakapan ASN",
            "region": "35.73",
            "election": "pilkada-2024-35.73",
            "stage": "campaign",
        },
    )
    meeting = await bakesbangpol.post("/v1/meetings", {"title": "Rakor", "held_on": "2024-08-23", "region": "35.73"})
    assert (mapped.status_code, meeting.status_code) == (201, 201), mapped.text
    logged = await bakesbangpol.log(
        region=VILLAGE,
        vulnerabilities=[mapped.json()["id"]],
        meeting=meeting.json()["id"],
        external_reference=str(uuid4()),
        due_at="2030-01-01T00:00:00+07:00",
    )
    seen_by_both = {
        "status": "assigned",
        "category": "asn_neutrality",
        "function": "prevention",
        "priority": "medium",
        "due_after": "2029-12-01T00:00:00Z",
        "due_before": "2030-02-01T00:00:00Z",
    }
    seen_by_parties = {
        "holder": bakesbangpol.code,
        "logged_by": bakesbangpol.code,
        "supporting": "BAWASLU_KOTA_MALANG",
        "referred_to": "BKPSDM_KOTA_MALANG",
        "classification": "terbatas",
        "vulnerability": mapped.json()["id"],
        "stage": "campaign",
        "meeting": meeting.json()["id"],
        "external_reference": logged["external_reference"],
        "created_after": "2024-01-01T00:00:00Z",
        "updated_after": "2024-01-01T00:00:00Z",
        "created_before": "2100-01-01T00:00:00Z",
    }
    for name, value in seen_by_both.items():
        assert await found(kpu, logged["id"], **{name: value}), name
        assert await found(bakesbangpol, logged["id"], **{name: value}), name
    for name, value in seen_by_parties.items():
        assert await found(bakesbangpol, logged["id"], **{name: value}), name
        assert not await found(kpu, logged["id"], **{name: value}), name


@pytest.mark.parametrize("sort", ["updated_at", "-updated_at", "effective_at", "-recorded_at", "due_at"])
async def test_a_summary_never_carries_more_for_being_sorted_or_asked_by_field(
    bakesbangpol: Agency, kpu: Agency, sort: str
) -> None:
    logged = await bakesbangpol.log(region=VILLAGE)
    params = {"region": VILLAGE, "sort": sort, "limit": "200", "fields": "id,title,description,logged_by,version"}
    items = (await kpu.get("/v1/tasks", params=params)).json()["items"]
    assert {"id": logged["id"]} in items
    assert all(item.keys() == {"id"} for item in items if item["id"] == logged["id"])


async def hidden_vulnerability(client_of: SignIn) -> str:
    cleared = await client_of("POLRESTA_MALANG_KOTA", clearance="rahasia")
    mapped = await cleared.post(
        "/v1/vulnerabilities", {"category": "intimidation", "description": "Ancaman kepada pelapor", "region": "35.73"}
    )
    assert (mapped.status_code, mapped.json()["classification"]) == (201, "rahasia")
    return str(mapped.json()["id"])


async def hidden_meeting(client_of: SignIn) -> str:
    cleared = await client_of("POLRESTA_MALANG_KOTA", clearance="rahasia")
    held = await cleared.post(
        "/v1/meetings",
        {"title": "Rapat tertutup", "held_on": "2024-08-23", "region": "35.73", "classification": "rahasia"},
    )
    assert held.status_code == 201
    return str(held.json()["id"])


@pytest.mark.parametrize(("member", "pointer"), [("vulnerabilities", "/vulnerabilities/0"), ("meeting", "/meeting")])
async def test_a_task_cannot_name_what_its_logger_may_not_see(
    kodim: Agency, client_of: SignIn, member: str, pointer: str
) -> None:
    hidden = await (hidden_vulnerability if member == "vulnerabilities" else hidden_meeting)(client_of)
    texts = []
    for one in (hidden, str(uuid4())):
        named: Any = [one] if member == "vulnerabilities" else one
        refused = await kodim.post("/v1/tasks", task(**{member: named}), headers={"Request-Id": "the-same"})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == pointer
        texts.append(refused.text)
    assert texts[0] == texts[1]


async def test_a_vulnerability_cannot_be_linked_to_one_that_its_mapper_may_not_see(
    kodim: Agency, client_of: SignIn
) -> None:
    hidden = await hidden_vulnerability(client_of)
    said = {"category": "asn_neutrality", "description": "Kerawanan", "region": "35.73"}
    refused = [
        await kodim.post("/v1/vulnerabilities", {**said, "linked_to": [one]}, headers={"Request-Id": "the-same"})
        for one in (hidden, str(uuid4()))
    ]
    assert [one.status_code for one in refused] == [422, 422]
    assert refused[0].text == refused[1].text
    mapped = (await kodim.post("/v1/vulnerabilities", said)).json()
    path = f"/v1/vulnerabilities/{mapped['id']}"
    patched = await kodim.patch(path, {"linked_to": [hidden]}, etag='"1"')
    assert (patched.status_code, patched.json()["errors"][0]["pointer"]) == (422, "/linked_to/0")


@pytest.mark.parametrize("noun", ["vulnerabilities", "meetings"])
async def test_the_register_hides_what_is_secret_from_reads_lists_and_writes(
    kpu: Agency, client_of: SignIn, noun: str
) -> None:
    hidden = await (hidden_vulnerability if noun == "vulnerabilities" else hidden_meeting)(client_of)
    path, absent = f"/v1/{noun}/{hidden}", f"/v1/{noun}/{uuid4()}"
    part = "evidence" if noun == "vulnerabilities" else "decisions"
    for tail in ("", f"/{part}"):
        answers = [await kpu.get(one + tail, headers={"Request-Id": "the-same"}) for one in (path, absent)]
        assert [one.status_code for one in answers] == [404, 404]
        assert answers[0].text == answers[1].text.replace(absent, path)
    assert (await kpu.patch(path, {"source": []}, etag='"1"')).status_code == 404
    body = {"source_type": "pileg", "year": 2024, "reference": "-"} if part == "evidence" else {"text": "-"}
    assert (await kpu.post(f"{path}/{part}", body)).status_code == 404
    listed = (await kpu.get(f"/v1/{noun}", params={"limit": "200"})).json()["items"]
    assert hidden not in [one["id"] for one in listed]


async def test_an_external_reference_says_nothing_about_another_agencys_tasks(
    bakesbangpol: Agency, kodim: Agency
) -> None:
    reference = f"ND/{uuid4()}"
    await bakesbangpol.log(external_reference=reference)
    assert (await kodim.log(external_reference=reference))["external_reference"] == reference
    again = await kodim.post("/v1/tasks", task(external_reference=reference))
    assert (again.status_code, again.json()["code"]) == (409, "duplicate-external-reference")


async def test_the_tasks_of_a_decision_are_shown_to_those_who_see_them(
    bakesbangpol: Agency, bkpsdm: Agency, kodim: Agency
) -> None:
    held = (
        await bakesbangpol.post("/v1/meetings", {"title": "Rakor", "held_on": "2024-08-23", "region": "35.73"})
    ).json()
    decided = await bakesbangpol.post(
        f"/v1/meetings/{held['id']}/decisions", {"text": "Sosialisasi netralitas", "tasks": [task()]}
    )
    assert decided.status_code == 201, decided.text
    made = decided.json()["tasks"]
    assert len(made) == 1
    shown = {
        agency.code: (await agency.get(f"/v1/meetings/{held['id']}")).json()["decisions"][0]["tasks"]
        for agency in (bakesbangpol, bkpsdm, kodim)
    }
    assert shown == {bakesbangpol.code: made, bkpsdm.code: made, kodim.code: []}


@pytest.mark.parametrize(
    "path",
    ["/v1/tasks/{}", *(f"/v1/tasks/{{}}/{part}" for part in ("transitions", "shares", "history", "comments"))],
)
async def test_what_is_hidden_answers_byte_for_byte_like_what_is_not_there(
    bakesbangpol: Agency, kodim: Agency, path: str
) -> None:
    hidden, absent = (await bakesbangpol.log())["id"], str(uuid4())
    answers = [await kodim.get(path.format(one), headers={"Request-Id": "the-same"}) for one in (hidden, absent)]
    assert answers[0].status_code == answers[1].status_code == 404
    assert answers[0].text == answers[1].text.replace(absent, hidden)
    told = [{name: one.headers[name] for name in one.headers if name != "ratelimit"} for one in answers]
    assert told[0] == told[1]  # but for the caller's own quota, which counts each request


@pytest.mark.parametrize("method", ["patch", "post", "put", "delete"])
async def test_a_write_tells_no_more_about_the_hidden_than_a_read(
    bakesbangpol: Agency, kodim: Agency, method: str
) -> None:
    hidden, absent = (await bakesbangpol.log())["id"], str(uuid4())
    sent: dict[str, tuple[str, dict[str, Any] | None]] = {
        "patch": ("", {"priority": "high"}),
        "post": ("/transitions", {"action": "start"}),
        "put": ("/shares/KODIM_0833_KOTA_MALANG", {"level": "full"}),
        "delete": ("/shares/KODIM_0833_KOTA_MALANG", None),
    }
    tail, body = sent[method]
    answers = [
        await kodim._send(
            method.upper(),
            f"/v1/tasks/{one}{tail}",
            body,
            etag='"1"',
            headers={"Request-Id": "the-same", "Idempotency-Key": str(uuid4())},
        )
        for one in (hidden, absent)
    ]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].text == answers[1].text.replace(absent, hidden)


async def test_a_body_recused_from_a_matter_does_not_act_in_it_through_a_joint_centre(
    bawaslu: Agency, polresta: Agency
) -> None:
    crime = {"category": "money_politics", "function": "handling", "variant": "crime"}
    own = await bawaslu.log(**crime, subject_kind="police_officer_city")
    assert own["open_referral"]["to_agency"] == "GAKKUMDU_KOTA_MALANG"
    place = f"/v1/referrals/{own['open_referral']['id']}"
    seen = await polresta.read(own["id"])
    assert not {"accept", "receive", "return"} & {one["action"] for one in seen["available_transitions"]}
    etag = (await bawaslu.get(place)).headers["etag"]
    refused = await polresta.post(f"{place}/response", {"answer": "accepted"}, etag=etag)
    assert refused.status_code in {403, 404}
    other = await bawaslu.log(**crime)
    assert (await polresta.accept(other))["accountable"] == "GAKKUMDU_KOTA_MALANG"


async def test_a_cursor_does_not_say_what_a_summary_hides(bakesbangpol: Agency, kpu: Agency) -> None:
    for hour in range(3):
        await bakesbangpol.log(effective_at=f"2024-08-1{hour}T03:04:05Z", priority="critical")
    page = (await kpu.get("/v1/tasks?sort=effective_at&priority=critical&limit=1")).json()
    raw = urlsafe_b64decode(page["next_cursor"] + "===")
    assert b"2024" not in raw
    assert b"03:04:05" not in raw


async def test_a_task_does_not_name_a_secret_vulnerability_to_who_may_not_see_it(
    kpu: Agency, client_of: SignIn
) -> None:
    cleared = await client_of("BAWASLU_KOTA_MALANG", clearance="rahasia")
    secret = (
        await cleared.post(
            "/v1/vulnerabilities",
            {"category": "intimidation", "description": "x", "region": "35.73", "classification": "rahasia"},
        )
    ).json()
    flood = {"category": "hydrometeorological", "function": "monitoring", "classification": "terbuka"}
    task = await cleared.log(**flood, vulnerabilities=[secret["id"]])
    assert (await cleared.read(task["id"]))["vulnerabilities"] == [secret["id"]]
    assert (await kpu.read(task["id"]))["vulnerabilities"] == []
    asked = (await kpu.get(f"/v1/tasks?vulnerability={secret['id']}&count=exact")).json()
    assert (asked["items"], asked["count"]["value"]) == ([], 0)


async def test_a_number_in_use_does_not_name_a_task_above_the_client_s_clearance(
    bawaslu: Agency, client_of: SignIn
) -> None:
    cleared = await client_of("BAWASLU_KOTA_MALANG", clearance="rahasia")
    hidden = await cleared.log(classification="rahasia", external_reference="RAH-1")
    refused = await bawaslu.post("/v1/tasks", task(external_reference="RAH-1"))
    assert refused.json()["code"] == "duplicate-external-reference"
    assert hidden["reference"] not in refused.text


async def test_a_draft_is_shown_to_nobody_it_will_be_shared_with(kpu: Agency, kodim: Agency) -> None:
    shares = [{"agency": "KODIM_0833_KOTA_MALANG", "level": "full"}]
    draft = await kpu.log(draft=True, shares=shares)
    assert (await kodim.get(f"/v1/tasks/{draft['id']}")).status_code == 404
    await kpu.move(draft["id"], "submit")
    assert (await kodim.read(draft["id"]))["access"] == "full"


async def test_an_agency_admin_grants_no_clearance(sign_in: SignIn) -> None:
    admin = await sign_in("KPU_KOTA_MALANG", "agency_admin")
    refused = await admin.post(
        "/v1/clients",
        {"agency": "KPU_KOTA_MALANG", "role": "supervisor", "purpose": "x", "clearance": "rahasia"},
    )
    assert (refused.status_code, refused.json()["permission"]) == (403, "client.clear")


async def test_a_header_full_of_blanks_costs_nothing(http: httpx.AsyncClient) -> None:
    headers = {"Accept-Language": "id" + " " * 30_000 + "x"}
    async with asyncio.timeout(2):
        answer = await http.get("/v1/me", headers=headers)
    assert answer.status_code == 401
