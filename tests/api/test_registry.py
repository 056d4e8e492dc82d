"""The registry: every region of the country, lists in both languages, and a loader that can be repeated."""

import gzip
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from snapshot import snapshot
from sqlalchemy import text
from support import Agency

from app import db, start
from app.db import Database
from app.services import loading
from app.settings import DATA, Settings


async def every(agency: Agency, path: str, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked = {"limit": "200", **params}
    while True:
        page = (await agency.get(path, params=asked)).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        asked["cursor"] = page["next_cursor"]


# regions


async def test_all_regions_of_indonesia_are_there(database: Database) -> None:
    async with database.reading() as reader:
        found = await db.rows(reader, "select level, count(*) as number from region group by level")
    assert {one["level"]: one["number"] for one in found} == {
        "province": 38,
        "regency": 416,
        "city": 98,
        "district": 7285,
        "village": 83762,
    }
    assert sum(one["number"] for one in found) == 91_599


async def test_each_region_knows_its_zone_and_its_parent(kpu: Agency) -> None:
    for code, name, level, parent, zone in (
        ("35", "Jawa Timur", "province", None, "Asia/Jakarta"),
        ("35.73", "Kota Malang", "city", "35", "Asia/Jakarta"),
        ("35.07", "Kabupaten Malang", "regency", "35", "Asia/Jakarta"),
        ("35.73.05.1009", "Mojolangu", "village", "35.73.05", "Asia/Jakarta"),
        ("51.71", "Kota Denpasar", "city", "51", "Asia/Makassar"),
        ("91.03", "Kabupaten Jayapura", "regency", "91", "Asia/Jayapura"),
    ):
        region = (await kpu.get(f"/v1/regions/{code}")).json()
        assert (region["name"], region["level"], region["parent"], region["time_zone"]) == (name, level, parent, zone)
        assert "ODbL" in region["source"]
    assert (await kpu.get("/v1/regions/99")).status_code == 404


async def test_every_province_has_one_of_the_three_zones(kpu: Agency) -> None:
    provinces = await every(kpu, "/v1/regions", level="province")
    assert len(provinces) == 38
    assert {one["time_zone"] for one in provinces} == {"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"}


async def test_the_tree_is_walked_by_parent_and_found_by_name(kpu: Agency) -> None:
    districts = await every(kpu, "/v1/regions", parent="35.73")
    assert [one["name"] for one in districts] == ["Blimbing", "Klojen", "Kedungkandang", "Sukun", "Lowokwaru"]
    villages = [await every(kpu, "/v1/regions", parent=one["code"]) for one in districts]
    assert sum(map(len, villages)) == 57
    named = await every(kpu, "/v1/regions", q="mojolangu")
    assert "35.73.05.1009" in [one["code"] for one in named]
    for city, code in (("makassar", "73.71"), ("Jayapura", "91.71"), ("Jakarta Pusat", "31.71"), ("kota mal", "35.73")):
        assert code in [one["code"] for one in await every(kpu, "/v1/regions", q=city)]
    both = await every(kpu, "/v1/regions", q="Malang", parent="35")
    assert [one["name"] for one in both] == ["Kabupaten Malang", "Kota Malang"]
    for wild in ("%", "_", "\\"):
        assert await every(kpu, "/v1/regions", q=wild) == []


async def test_the_notice_of_the_region_data_is_kept(kpu: Agency) -> None:
    notice = (DATA / "idn-area/NOTICE.md").read_text()
    assert "Open Database License (ODbL) 1.0" in notice
    description = (await kpu.get("/openapi.json")).json()["info"]["description"]
    assert "https://opendatacommons.org/licenses/odbl/1-0/" in description
    assert "idn-area-data" in description


# lists


async def test_every_enumeration_has_its_labels_in_both_languages(kpu: Agency) -> None:
    index = (await kpu.get("/v1/reference")).json()["items"]
    kept = json.loads((DATA / "enums.json").read_text())["enums"]
    assert {one["list"] for one in index} >= {*kept, "category", "agency_type", "holiday", "recusal", "deadline_rule"}
    for one in index:
        shown = (await kpu.get(one["href"])).json()
        assert shown["list"] == one["list"]
        assert shown["values"], one["list"]
        assert shown["version"]
        if one["list"] in kept and one["list"] != "agency_type":
            assert [value["code"] for value in shown["values"]] == [
                value["code"] for value in kept[one["list"]]["values"]
            ]
        if one["list"] in {*kept, "category", "agency_type", "closing_requirement"}:
            assert all(value["label_id"] and value["label_en"] for value in shown["values"]), one["list"]
    assert (await kpu.get("/v1/reference/no_such_list")).status_code == 404


@pytest.mark.parametrize("path", ["/v1/agencies", "/v1/mandates"])
async def test_rows_carry_their_source_and_whether_they_are_verified(kpu: Agency, path: str) -> None:
    found = await every(kpu, path)
    assert len(found) > 50
    assert all(one["source"] for one in found)
    assert {one["verified"] for one in found} == {True, False}


# at an instant


async def test_agencies_are_listed_as_of_a_day(kpu: Agency) -> None:
    for day, there in (("2024-08-30", {"KOMINFO"}), ("2024-12-31", {"KOMDIGI"})):
        listed = {one["code"] for one in await every(kpu, "/v1/agencies", as_of=day)}
        assert listed & {"KOMINFO", "KOMDIGI"} == there
    both = {one["code"] for one in await every(kpu, "/v1/agencies")}
    assert {"KOMINFO", "KOMDIGI"} <= both


async def test_agencies_are_found_by_office_tier_and_region(kpu: Agency) -> None:
    offices = await every(kpu, "/v1/agencies", office="KPU", tier="city")
    assert [one["code"] for one in offices] == ["KPU_KAB_MALANG", "KPU_KOTA_BATU", "KPU_KOTA_MALANG"]
    covering = await every(kpu, "/v1/agencies", office="KPU", region="35.73.05.1009")
    assert [one["code"] for one in covering] == ["KPU_JATIM", "KPU_KOTA_MALANG", "KPU_RI"]


async def test_mandates_are_listed_as_of_the_midnight_of_malang(kpu: Agency) -> None:
    rows = await every(kpu, "/v1/mandates", category="admin_violation", function="adjudication")
    ending = next(one for one in rows if one["valid_to"] is not None)
    day = ending["valid_to"]
    # Midnight in Malang is 17:00 of the day before in UTC.
    midnight, last_second = f"{day}T00:00:00+07:00", f"{day}T00:00:00+07:01"
    in_utc = datetime.fromisoformat(midnight).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = {one["id"] for one in await every(kpu, "/v1/mandates", as_of=midnight)}
    before = {one["id"] for one in await every(kpu, "/v1/mandates", as_of=last_second)}
    assert ending["id"] in before
    assert ending["id"] not in after
    assert {one["id"] for one in await every(kpu, "/v1/mandates", as_of=in_utc)} == after


async def test_a_day_lies_in_several_stages(kpu: Agency) -> None:
    stages = (await kpu.get("/v1/elections/pilkada-2024-35.73/stages", params={"on": "2024-10-01"})).json()["items"]
    assert len(stages) > 1
    assert "campaign" in [one["code"] for one in stages]
    elections = await every(kpu, "/v1/elections", region="35.73.05")
    assert {"pilkada-2024-35.73", "pilkada-2024-35"} <= {one["code"] for one in elections}


# the loader


@pytest.fixture
async def fresh(clone: Callable[[], Awaitable[str]], settings: Settings) -> AsyncIterator[Database]:
    database = Database(await clone(), settings)
    yield database
    await database.close()


async def test_loading_again_changes_nothing_and_restores_what_was_lost(fresh: Database) -> None:
    whole = await snapshot(fresh)
    assert await start.load(fresh, Console(quiet=True), with_register=True) == 0
    assert await snapshot(fresh) == whole
    async with fresh.writing() as writer:
        for lost in (
            "delete from region where code like '94.%' and level = 'village'",
            "delete from closing_requirement",
            "delete from holiday",
            "delete from enumeration_value where enumeration = 'priority'",
        ):
            assert (await writer.execute(text(lost + " returning 1"))).all()
    assert await snapshot(fresh) != whole
    await start.load(fresh, Console(quiet=True), with_register=False)
    assert await snapshot(fresh) == whole


async def test_a_load_that_fails_leaves_nothing_half_done(fresh: Database, tmp_path: Path) -> None:
    damaged = tmp_path / "data"
    shutil.copytree(DATA, damaged)
    (damaged / "holidays.csv").write_text("date,name_id,kind,source,verified\nbesok,Libur,national,unverified,true\n")
    async with fresh.writing() as writer:
        await writer.execute(text("delete from closing_requirement"))
        await writer.execute(text("delete from region where code like '94.%' and level = 'village'"))
    before = await snapshot(fresh)
    seen: list[str] = []

    async def load() -> None:
        async with fresh.writing() as writer:
            await loading.load_registry(writer, report=lambda table, _: seen.append(table), folder=damaged)

    with pytest.raises(ValueError, match="besok"):
        await load()
    assert "region" in seen
    assert await snapshot(fresh) == before


async def test_a_region_file_cut_off_is_refused_as_a_whole(fresh: Database, tmp_path: Path) -> None:
    damaged = tmp_path / "data"
    shutil.copytree(DATA, damaged)
    districts = damaged / "idn-area/districts.csv.gz"
    lines = gzip.decompress(districts.read_bytes()).decode().splitlines()
    districts.write_bytes(gzip.compress("\n".join([*lines[:100], "35.7x,35.73,Salah"]).encode()))
    before = await snapshot(fresh)

    async def load() -> None:
        async with fresh.writing() as writer:
            await loading.load_registry(writer, report=lambda *_: None, folder=damaged)

    with pytest.raises(ValueError, match="is no region code"):
        await load()
    assert await snapshot(fresh) == before
