"""`simpul matrix` against a real server: the very file, how far it is, and nothing at all when it breaks off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from files import lines, list_of, records, table, workbook
from nation import settle
from running import Running, running
from support import Agency
from typer.testing import CliRunner, Result

from app import cli, start
from app.download import Records, SheetRows
from app.matrix import CSV, NDJSON, XLSX
from app.settings import Settings
from app.spreadsheets import Column, Csv, Kind
from app.workbooks import Words, Workbook

TASKS = 3_600
FORMATS = {"csv": CSV, "ndjson": NDJSON, "xlsx": XLSX}
Save = Callable[..., Awaitable[Result]]


@pytest.fixture(scope="module")
async def url_of_nation(clone: Callable[[], Awaitable[str]]) -> str:
    url = await clone()
    await settle(url, count=TASKS)
    return url


@pytest.fixture(scope="module")
def served(url_of_nation: str, settings: Settings) -> Iterator[Running]:
    with running(url_of_nation, settings, more={"SIMPUL_REGISTER_ON_START": "false"}) as process:
        yield process


@pytest.fixture(scope="module")
async def reader(served: Running, settings: Settings) -> AsyncIterator[Agency]:
    """Of the whole country, over the wire."""
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    async with httpx.AsyncClient(base_url=served.address, timeout=60) as http:
        operator = await Agency(http, next(one for one in kept if one["role"] == "operator")).sign_in()
        made = await operator.post("/v1/clients", {"agency": "KPU_RI", "role": "viewer", "purpose": "Matriks"})
        yield await Agency(http, {**made.json(), "agency": "KPU_RI"}).sign_in()


@pytest.fixture
def save(served: Running, reader: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Run the command as at a terminal, with further words; `address` may be another than the server's."""
    secret = tmp_path / "secret"
    secret.write_text(f"{reader.credentials['client_secret']}\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")

    async def run(*words: str, address: str = served.address) -> Result:
        known = ["--url", address, "--client-id", reader.credentials["client_id"], "--client-secret-file", str(secret)]
        return await asyncio.to_thread(CliRunner().invoke, cli.app, ["matrix", *known, *words])

    return run


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(one.name for one in folder.iterdir())


@asynccontextmanager
async def line_that_breaks(port: int, *, after: int) -> AsyncIterator[str]:
    """An address that leads to the server, and breaks once so many bytes came back on one connection."""

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, most: float) -> None:
        while most > 0 and (some := await source.read(4_096)):
            target.write(some)
            most -= len(some)
        target.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, back, float("inf")), carry(there, writer, after), return_exceptions=True)

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def plain(said: str) -> str:
    """What a terminal shows, without its colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


def shown_in(file: Path, form: str) -> list[str]:
    """The ids of the tasks in a file."""
    answer = httpx.Response(200, content=file.read_bytes())
    if form == "ndjson":
        return [one["id"] for one in lines(answer)]
    return [one["ID"] for one in (records(answer) if form == "csv" else table(workbook(answer.content)))]


@pytest.mark.parametrize("form", FORMATS)
async def test_the_file_is_the_one_that_the_service_writes_and_its_rows_are_seen_coming(
    save: Save, reader: Agency, tmp_path: Path, form: str
) -> None:
    listed, target = await list_of(reader), tmp_path / f"matrix.{form}"
    assert (many := len(listed)) > 1_000
    done = await save("--to", str(target), "--format", form, "--language", "en")
    assert done.exit_code == 0, done.stderr
    assert re.search(rf"Wrote {many:,} of {many:,} tasks, [\d.]+ [kM]B, to ", plain(done.stdout))
    assert f"{many:,} of {many:,} tasks" in plain(done.stderr)
    assert (target.stat().st_mode & 0o777) == 0o600
    assert shown_in(target, form) == [one["id"] for one in listed]
    assert names(tmp_path) == [target.name, "secret"]


async def test_filters_are_those_of_the_list_and_a_wrong_one_is_named(
    save: Save, reader: Agency, tmp_path: Path
) -> None:
    target = tmp_path / "matrix.ndjson"
    words = ("--to", str(target), "--format", "ndjson", "--filter", "region=35", "--filter", "q=banjir")
    assert (await save(*words)).exit_code == 0
    assert shown_in(target, "ndjson") == [one["id"] for one in await list_of(reader, region="35", q="banjir")]
    before = target.read_bytes()
    for wrong, named in {"region=nowhere": "region", "limit=3": "limit", "colour=red": "colour"}.items():
        refused = await save(*words, "--filter", wrong)
        assert refused.exit_code == 1
        assert "/v1/tasks: 400" in plain(refused.stderr)
        assert named in plain(refused.stderr)
        assert "nothing was written" in plain(refused.stderr)
    assert target.read_bytes() == before


@pytest.mark.parametrize("form", FORMATS)
async def test_a_stream_that_breaks_leaves_nothing_that_looks_whole(
    save: Save, served: Running, tmp_path: Path, form: str
) -> None:
    target = tmp_path / f"matrix.{form}"
    target.write_text("that of yesterday")
    async with line_that_breaks(served.port, after=40_000) as address:
        broken = await save("--to", str(target), "--format", form, address=address)
    assert broken.exit_code == 1, broken.stdout
    said = plain(broken.stderr)
    assert "The file did not come whole: nothing was written to" in said
    assert "without sending complete" in said
    assert isinstance(broken.exception, SystemExit)
    assert target.read_text() == "that of yesterday"
    assert names(tmp_path) == [target.name, "secret"]


async def test_whoever_is_refused_or_finds_nobody_is_told_so(save: Save, tmp_path: Path) -> None:
    target = str(tmp_path / "matrix.csv")
    nobody = await save("--to", target, address="http://127.0.0.1:9")
    assert nobody.exit_code == 1
    assert "http://127.0.0.1:9" in plain(nobody.stderr)
    (tmp_path / "secret").write_text("guessed")
    refused = await save("--to", target)
    assert refused.exit_code == 1
    assert "/oauth2/token: 401" in plain(refused.stderr)
    assert names(tmp_path) == ["secret"]


async def test_words_that_make_no_command_end_with_2_and_ask_nobody(save: Save, tmp_path: Path) -> None:
    target, nobody = str(tmp_path / "matrix.csv"), "http://127.0.0.1:9"
    for words in (
        ("--to", target, "--filter", "region"),
        ("--to", str(tmp_path)),
        ("--to", str(tmp_path / "none" / "matrix.csv")),
        ("--to", target, "--format", "pdf"),
        ("--to", target, "--key", target),
    ):
        assert (await save(*words, address=nobody)).exit_code == 2, words
    assert names(tmp_path) == ["secret"]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_rows_are_counted_alike_however_the_bytes_are_parted(size: int) -> None:
    laid_out = [Column("No", 5, Kind.NUMBER), Column("Judul", 40)]
    rows: list[list[Any]] = [[number, f'baris "satu"\n<row {number}\r\n,"'] for number in range(300)]
    sheet = Workbook(laid_out, Words("Matriks", "-", "Matriks", "Kode", ("a", "b", "c"), (), ""))
    for counts, file, headings in ((Records(), Csv(laid_out), 1), (SheetRows(), sheet, 3)):
        content = file.begin() + file.add(rows) + file.end()
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        assert sum(counts.add(part) for part in parts) == len(rows) + headings
