"""Who sees a task: by classification, by share, by standing, and nobody else by any door."""

import pytest
from support import Agency, SignIn, task

SUMMARY = {
    "access",
    "id",
    "reference",
    "category",
    "function",
    "region",
    "status",
    "priority",
    "accountable",
    "due_at",
    "available_transitions",
}
OPEN = {"category": "hydrometeorological", "function": "prevention"}
SECRET = {"category": "intimidation", "function": "handling"}


async def sees(agency: Agency, task_id: str) -> str | None:
    """How much an agency sees of a task, by the read and by the list, which must agree."""
    alone = await agency.get(f"/v1/tasks/{task_id}")
    assert alone.status_code in {200, 404}, alone.text
    listed = await listed_access(agency, task_id)
    access = alone.json()["access"] if alone.status_code == 200 else None
    assert listed == access
    return access


async def listed_access(agency: Agency, task_id: str) -> str | None:
    cursor: str | None = None
    while True:
        params = {"limit": "200", "sort": "-recorded_at", **({"cursor": cursor} if cursor else {})}
        page = (await agency.get("/v1/tasks", params=params)).json()
        for item in page["items"]:
            if item["id"] == task_id:
                return str(item["access"])
        cursor = page["next_cursor"]
        if cursor is None:
            return None


async def count(agency: Agency, **filters: str) -> int:
    answer = await agency.get("/v1/tasks", params={"count": "exact", "limit": "1", **filters})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["count"]["value"])


@pytest.fixture(scope="module")
async def cleared_polresta(client_of: SignIn) -> Agency:
    return await client_of("POLRESTA_MALANG_KOTA", clearance="rahasia")


@pytest.fixture(scope="module")
async def cleared_bawaslu(client_of: SignIn) -> Agency:
    return await client_of("BAWASLU_KOTA_MALANG", clearance="rahasia")


# by classification


async def test_an_open_task_is_read_by_every_agency_of_its_region_and_of_the_regions_above(
    bawaslu: Agency, kodim: Agency, client_of: SignIn
) -> None:
    logged = await bawaslu.log(**OPEN, region="35.73.05")
    assert logged["classification"] == "terbuka"
    assert await sees(kodim, logged["id"]) == "full"
    for agency in ("KPU_JATIM", "KPU_RI", "PANITIA_KECAMATAN_35_73_05"):
        assert await sees(await client_of(agency, "viewer"), logged["id"]) == "full", agency
    for agency in ("KPU_KAB_MALANG", "POLRES_BATU", "PANITIA_KECAMATAN_35_73_01", "PPS_35_73_05_1009"):
        assert await sees(await client_of(agency, "viewer"), logged["id"]) is None, agency


async def test_a_limited_task_is_whole_for_parties_a_summary_for_coordinators_and_absent_for_the_rest(
    bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, kpu: Agency, kodim: Agency, client_of: SignIn
) -> None:
    logged = await bakesbangpol.log(due_at="2030-01-01T00:00:00+07:00")
    assert logged["classification"] == "terbatas"
    for party in (bakesbangpol, bkpsdm, bawaslu):
        assert await sees(party, logged["id"]) == "full", party.code
    assert await sees(kpu, logged["id"]) == "summary"
    for stranger in (kodim, await client_of("KPU_JATIM"), await client_of("KPU_KAB_MALANG")):
        assert await sees(stranger, logged["id"]) is None, stranger.code


async def test_a_coordinator_is_shown_exactly_the_fields_of_the_summary(bakesbangpol: Agency, kpu: Agency) -> None:
    logged = await bakesbangpol.log()
    summary = await kpu.read(logged["id"])
    assert summary.keys() == SUMMARY
    assert all(summary[name] == logged[name] for name in SUMMARY - {"access", "available_transitions"})
    assert summary["access"] == "summary"
    items = (await kpu.get("/v1/tasks", params={"sort": "-recorded_at"})).json()["items"]
    listed = next(item for item in items if item["id"] == logged["id"])
    assert listed.keys() == SUMMARY - {"available_transitions"}
    for part in ("comments", "shares", "history"):
        refused = await kpu.get(f"/v1/tasks/{logged['id']}/{part}")
        assert (refused.status_code, refused.json()["code"]) == (403, "classification-denied"), part
    referrals = await kpu.get(f"/v1/tasks/{logged['id']}/referrals")
    assert referrals.json()["items"] == []
    assert (await kpu.get(f"/v1/referrals/{logged['open_referral']['id']}")).status_code == 404


async def test_a_secret_task_is_for_cleared_clients_of_its_parties_and_in_no_count_of_anyone_else(
    cleared_polresta: Agency,
    cleared_bawaslu: Agency,
    polresta: Agency,
    bawaslu: Agency,
    kpu: Agency,
    kodim: Agency,
    client_of: SignIn,
) -> None:
    cleared_kpu = await client_of("KPU_KOTA_MALANG", clearance="rahasia")
    others = (polresta, bawaslu, kpu, kodim, cleared_kpu)
    before = [await count(one, category="intimidation") for one in (*others, cleared_bawaslu)]
    logged = await cleared_polresta.log(**SECRET)
    assert logged["classification"] == "rahasia"
    assert await sees(cleared_polresta, logged["id"]) == "full"
    assert await sees(cleared_bawaslu, logged["id"]) == "full"
    for other in others:
        assert await sees(other, logged["id"]) is None, other.code
    assert [await count(one, category="intimidation") for one in (*others, cleared_bawaslu)] == [
        *before[:-1],
        before[-1] + 1,
    ]
    referral = logged["open_referral"]["id"]
    assert (await bawaslu.get(f"/v1/referrals/{referral}")).status_code == 404
    assert (await cleared_bawaslu.get(f"/v1/referrals/{referral}")).status_code == 200
    seen = (await bawaslu.get("/v1/referrals", params={"task": logged["id"]})).json()
    assert seen["items"] == []


async def test_what_is_most_secret_does_not_belong_here(bakesbangpol: Agency) -> None:
    refused = await bakesbangpol.post("/v1/tasks", task(classification="sangat_rahasia"))
    assert (refused.status_code, refused.json()["code"]) == (422, "classification-refused")
    logged = await bakesbangpol.log()
    etag = (await bakesbangpol.get(f"/v1/tasks/{logged['id']}")).headers["etag"]
    raised = await bakesbangpol.patch(f"/v1/tasks/{logged['id']}", {"classification": "sangat_rahasia"}, etag=etag)
    assert (raised.status_code, raised.json()["code"]) == (422, "classification-refused")


async def test_the_category_decides_the_class_unless_the_logger_does(bawaslu: Agency, kodim: Agency) -> None:
    closed = await bawaslu.log(**OPEN, classification="terbatas")
    assert closed["classification"] == "terbatas"
    opened = await bawaslu.log(classification="terbuka")
    assert opened["classification"] == "terbuka"
    assert await sees(kodim, opened["id"]) == "full"


# by share


async def test_shares_given_at_creation_hold_from_the_first_instant(
    bakesbangpol: Agency, kodim: Agency, polresta: Agency
) -> None:
    logged = await bakesbangpol.log(
        shares=[
            {"agency": "KODIM_0833_KOTA_MALANG", "level": "full"},
            {"agency": "POLRESTA_MALANG_KOTA", "level": "summary"},
        ]
    )
    assert await sees(kodim, logged["id"]) == "full"
    assert await sees(polresta, logged["id"]) == "summary"
    shares = (await bakesbangpol.get(f"/v1/tasks/{logged['id']}/shares")).json()["items"]
    assert [(one["agency"], one["level"]) for one in shares] == [
        ("KODIM_0833_KOTA_MALANG", "full"),
        ("POLRESTA_MALANG_KOTA", "summary"),
    ]


async def test_a_share_is_given_raised_and_taken_back(bakesbangpol: Agency, kodim: Agency) -> None:
    logged = await bakesbangpol.log()
    path = f"/v1/tasks/{logged['id']}/shares/{kodim.code}"
    etag: str | None = (await bakesbangpol.get(f"/v1/tasks/{logged['id']}")).headers["etag"]
    for level in ("summary", "full"):
        shared = await bakesbangpol.put(path, {"level": level}, etag=etag)
        assert (shared.status_code, shared.json()["level"]) == (200, level)
        etag = shared.headers["etag"]
        assert await sees(kodim, logged["id"]) == level
    assert (await kodim.delete(path, etag=etag)).status_code == 403
    ended = await bakesbangpol.delete(path, etag=etag)
    assert ended.status_code == 204
    assert await sees(kodim, logged["id"]) is None
    assert (await bakesbangpol.delete(path, etag=ended.headers["etag"])).status_code == 404


async def test_a_share_does_not_open_a_secret_to_a_client_without_clearance(
    cleared_polresta: Agency, kodim: Agency, client_of: SignIn
) -> None:
    logged = await cleared_polresta.log(**SECRET, shares=[{"agency": kodim.code, "level": "full"}])
    assert await sees(kodim, logged["id"]) is None
    assert await sees(await client_of(kodim.code, clearance="rahasia"), logged["id"]) == "full"


# by role


async def test_an_expert_sees_what_is_shared_with_it_and_nothing_else_and_may_comment_on_it(
    bawaslu: Agency, client_of: SignIn
) -> None:
    expert = await client_of("DIKBUD_KOTA_MALANG", "expert")
    logged = await bawaslu.log(**OPEN)
    path = f"/v1/tasks/{logged['id']}"
    assert await sees(await client_of("DIKBUD_KOTA_MALANG", "viewer"), logged["id"]) == "full"
    assert await sees(expert, logged["id"]) is None
    assert (await expert.post(f"{path}/comments", {"body": "Saya kira"})).status_code == 404
    etag = (await bawaslu.get(path)).headers["etag"]
    assert (await bawaslu.put(f"{path}/shares/{expert.code}", {"level": "full"}, etag=etag)).status_code == 200
    assert await sees(expert, logged["id"]) == "full"
    said = await expert.post(f"{path}/comments", {"body": "Jalur logistik sebaiknya dialihkan."})
    assert said.status_code == 201
    bodies = [one["body"] for one in (await bawaslu.get(f"{path}/comments")).json()["items"]]
    assert bodies == ["Jalur logistik sebaiknya dialihkan."]
    moved = await expert.post(f"{path}/transitions", {"action": "cancel", "reason": "-"}, etag=etag)
    assert moved.json()["permission"] == "task.move"


async def test_an_auditor_reads_what_its_agency_reads_and_no_more(bakesbangpol: Agency, client_of: SignIn) -> None:
    logged = await bakesbangpol.log()
    assert await sees(await client_of("BKPSDM_KOTA_MALANG", "auditor"), logged["id"]) == "full"
    assert await sees(await client_of("KPU_KOTA_MALANG", "auditor"), logged["id"]) == "summary"
    assert await sees(await client_of("KODIM_0833_KOTA_MALANG", "auditor"), logged["id"]) is None


async def test_a_draft_is_seen_by_its_logger_alone(bawaslu: Agency, kpu: Agency, kodim: Agency) -> None:
    draft = await bawaslu.log(**OPEN, draft=True)
    assert draft["status"] == "draft"
    assert await sees(bawaslu, draft["id"]) == "full"
    assert await sees(kpu, draft["id"]) is None
    assert await sees(kodim, draft["id"]) is None
    assert (await bawaslu.move(draft["id"], "submit")).json()["status"] == "assigned"
    assert await sees(kodim, draft["id"]) == "full"


async def test_a_coordinator_has_no_standing_in_a_case_about_its_own_people(
    bakesbangpol: Agency, bawaslu: Agency, kpu: Agency
) -> None:
    case = {"category": "organizer_integrity", "function": "handling", "variant": "subject_kpu"}
    about_kpu = await bakesbangpol.log(**case, subject_kind="kpu_member", classification="terbatas")
    about_nobody = await bakesbangpol.log(**case, classification="terbatas")
    assert await sees(bawaslu, about_kpu["id"]) == "full"
    assert await sees(kpu, about_nobody["id"]) == "summary"
    assert await sees(kpu, about_kpu["id"]) is None
