"""One matrix serves every region: its offices become that region's agencies, and a region is added as data alone."""

from __future__ import annotations

from typing import Any, Final

import pytest
from scenarios.world import World
from support import Agency, task

Json = dict[str, Any]

NEIGHBOURS: Final = {
    "35.07": {
        "KPU@city": "KPU_KAB_MALANG",
        "BAWASLU@city": "BAWASLU_KAB_MALANG",
        "POLRES@city": "POLRES_MALANG",
        "KODIM@city": "KODIM_0818",
    },
    "35.79": {
        "KPU@city": "KPU_KOTA_BATU",
        "BAWASLU@city": "BAWASLU_KOTA_BATU",
        "POLRES@city": "POLRES_BATU",
        "KODIM@city": "KODIM_0818",
    },
}

#: Office, type, coordinator, and a matter that the matrix gives to it.
OFFICES: Final = [
    ("KPU", "election_organizer", True, {"category": "voter_list", "function": "handling"}),
    ("BAWASLU", "election_supervisor", True, {"category": "admin_violation", "function": "handling"}),
    ("POLRES", "police", False, {"category": "polri_neutrality", "function": "prevention"}),
    ("KODIM", "military", False, {"category": "tni_neutrality", "function": "prevention"}),
    ("BAKESBANGPOL", "local_government_unit", False, {"category": "viral_issue", "function": "prevention"}),
]
VOTING_WEEK: Final = "2024-11-25T08:00:00+07:00"


@pytest.fixture
async def kpu(world: World) -> Agency:
    return await world.agency("KPU_KOTA_MALANG")


async def _matrix(reader: Agency) -> list[Json]:
    rows: list[Json] = []
    params: Json | None = {"limit": 50}
    while params:
        page = (await reader.get("/v1/mandates", params=params)).json()
        rows += page["items"]
        params = page["next_cursor"] and {"limit": 50, "cursor": page["next_cursor"]}
    return rows


async def _resolved(reader: Agency, row: Json, region: str) -> Json:
    """Who is competent for the matter of a row on its first day."""
    matter = {name: row[name] for name in ("category", "subcategory", "function", "variant") if row[name]}
    params = {**matter, "region": region, "at": f"{row['valid_from']}T00:00:00+07:00"}
    answer = await reader.get("/v1/mandates/resolution", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("region", ["35.07", "35.79", "35.07.01", "35.79.01.1001"])
async def test_the_rows_of_the_city_give_the_same_matters_to_the_neighbours_own_agencies(
    kpu: Agency, region: str
) -> None:
    there = NEIGHBOURS[region[:5]]
    rows = [one for one in await _matrix(kpu) if one["accountable"] in there and one["region_code"] is None]
    assert {one["accountable"] for one in rows} == there.keys()
    for row in rows:
        answer = await _resolved(kpu, row, region)
        found = answer["accountable"] and (answer["accountable"]["agency"], answer["accountable"]["mandate"])
        assert found == (there[row["accountable"]], row["id"]), row["id"]
        assert not {one for one in (*answer["supporting"], *answer["informed"]) if "KOTA_MALANG" in one}


@pytest.mark.parametrize("region", NEIGHBOURS)
async def test_rows_that_rest_on_local_acts_hold_in_kota_malang_only(kpu: Agency, region: str) -> None:
    local = [one for one in await _matrix(kpu) if one["region_code"] == "35.73"]
    assert {"M52", "M63"} <= {one["id"] for one in local}
    for row in local:
        assert (await _resolved(kpu, row, "35.73.05"))["accountable"]["mandate"] == row["id"]
        answer = await _resolved(kpu, row, region)
        assert (answer["outcome"], answer["accountable"], answer["missing_office"]) == ("gap", None, None)
        lost = {one["mandate"]: one["rejected_because"] for one in answer["considered"]}
        assert lost[row["id"]] == "region"


@pytest.mark.parametrize("region", NEIGHBOURS)
async def test_a_gap_names_the_office_that_nobody_holds_there(kpu: Agency, region: str) -> None:
    there = NEIGHBOURS[region]
    city = [
        one for one in await _matrix(kpu) if (one["accountable"] or "").endswith("@city") and not one["region_code"]
    ]
    missing = [one for one in city if one["accountable"] not in there]
    assert "GAKKUMDU@city" in {one["accountable"] for one in missing}
    for row in missing:
        answer = await _resolved(kpu, row, region)
        assert (answer["outcome"], answer["missing_office"]) == ("gap", row["accountable"]), row["id"]
    bribe = task(category="money_politics", function="handling", variant="crime", region=region)
    refused = await kpu.post("/v1/tasks", {**bribe, "effective_at": VOTING_WEEK})
    assert (refused.status_code, refused.json()["code"]) == (409, "mandate-gap")
    assert refused.json()["missing_office"] == "GAKKUMDU@city"


@pytest.mark.parametrize("region", NEIGHBOURS)
async def test_a_neighbours_agencies_work_a_task_off_out_of_the_citys_sight(
    world: World, kpu: Agency, region: str
) -> None:
    there = NEIGHBOURS[region]
    police = await world.agency(there["POLRES@city"])
    logged = await police.log(category="tni_neutrality", function="prevention", region=region, effective_at=VOTING_WEEK)
    assert (logged["open_referral"]["to_agency"], logged["open_referral"]["mandate"]) == ("KODIM_0818", "M09")
    accepted = await world.accept(police, logged)
    supervisor = await world.agency(there["BAWASLU@city"])
    organizer = await world.agency(there["KPU@city"])
    assert (await supervisor.read(logged["id"]))["access"] == "full"  # it supports under M09
    assert (await organizer.read(logged["id"]))["access"] == "summary"  # coordinators of the region
    assert (await kpu.get(f"/v1/tasks/{logged['id']}")).status_code == 404
    assert (await world.close(police, accepted))["status"] == "closed"


async def test_a_new_regions_five_agencies_are_data_and_their_tasks_go_from_log_to_closed(
    world: World, kpu: Agency
) -> None:
    region, name = "73.71", "KOTA_MAKASSAR"
    for office, _, _, matter in OFFICES:
        nobody = await kpu.post("/v1/tasks", task(**matter, region=region, effective_at=VOTING_WEEK))
        assert (nobody.status_code, nobody.json()["code"]) == (409, "mandate-gap")
        assert nobody.json()["missing_office"] == f"{office}@city"
    for office, kind, coordinator, _ in OFFICES:
        agency = {
            "code": f"{office}_{name}",
            "office": office,
            "tier": "city",
            "name_id": f"{office} Kota Makassar",
            "type": kind,
            "level": "city",
            "region_code": region,
            "regions": [region],
            "coordinator": coordinator,
        }
        added = await world.operator.post("/v1/agencies", agency)
        assert added.status_code == 201, added.text
    agencies = [await world.agency(f"{office}_{name}") for office, *_ in OFFICES]
    for place, (_, _, _, matter) in enumerate(OFFICES):
        owner, logger = agencies[place], agencies[place - 1]
        logged = await logger.log(**matter, region=f"{region}.01", effective_at=VOTING_WEEK)
        assert logged["open_referral"]["to_agency"] == owner.code
        accepted = await world.accept(logger, logged)
        assert accepted["accountable"] == owner.code
        assert (await agencies[0].read(logged["id"]))["accountable"] == owner.code  # KPU coordinates
        assert (await kpu.get(f"/v1/tasks/{logged['id']}")).status_code == 404
        assert (await world.close(logger, accepted))["status"] == "closed"
