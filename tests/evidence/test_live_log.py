"""The service's own log, read out of its tables: it verifies, until the superuser of its database touches a fact."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, task

from app import evidence
from app.db import Database, rows
from app.main import create_app
from app.services import log_keys, sequencer
from app.settings import Settings
from app.testimony import Kept
from app.verifying import verify

ENTRIES = """
    select l.index, n.hash, e.* from log_entry l join event e on e.id = l.event_id
    join log_node n on n.level = 0 and n.place = l.index - 1 order by l.index
"""


@pytest.fixture
async def url(clone: Callable[[], Awaitable[str]]) -> str:
    return await clone()


@pytest.fixture
async def app(url: str, settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings, url)
    yield app
    await app.state.database.close()


@pytest.fixture
async def bawaslu(app: FastAPI, credentials: list[dict[str, Any]]) -> AsyncIterator[Agency]:
    found = next(one for one in credentials if one["agency"] == "BAWASLU_KOTA_MALANG" and one["role"] == "supervisor")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as client:
        yield await Agency(client, found).sign_in()


async def receipts_of(agency: Agency) -> list[str]:
    """What an agency keeps of writes with one fact and with several, with free text and without."""
    answers = [await agency.post("/v1/tasks", task(title=f"Sosialisasi {one}")) for one in range(3)]
    answers.append(await agency.post(f"/v1/tasks/{answers[0].json()['id']}/comments", {"body": "Sudah dibahas."}))
    answers.append(await agency.move(answers[1].json()["id"], "cancel", reason="Ganda"))
    assert all(one.is_success for one in answers), [one.text for one in answers]
    return [one.headers["audit-receipt"] for one in answers]


async def export(database: Database, folder: Path) -> Path:
    """The files of the log as it stands in the tables."""
    async with database.working() as worker:
        entries = await rows(worker, ENTRIES)
        heads = await rows(worker, "select size, signed as head from log_head order by size")
        keys = await log_keys.published(worker)
    lines = [
        {"index": one["index"], "leaf": bytes(one["hash"]).hex(), "document": evidence.document(one).decode()}
        for one in entries
    ]
    write(folder, {"entries": lines, "heads": heads, "cosignatures": []}, {"log": keys, "witnesses": []})
    return folder


def write(folder: Path, files: dict[str, list[dict[str, Any]]], keys: dict[str, Any]) -> None:
    folder.mkdir()
    for name, lines in files.items():
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in lines))
    (folder / "keys.json").write_text(json.dumps(keys))


async def seal(database: Database) -> None:
    async with database.working() as worker:
        done = await sequencer.sequence(worker, head_every=0)
    assert done.head


async def test_the_log_of_the_service_verifies_until_a_fact_is_touched(
    app: FastAPI, url: str, bawaslu: Agency, tmp_path: Path
) -> None:
    database: Database = app.state.database
    kept = tmp_path / "receipts"
    kept.write_text("\n".join(await receipts_of(bawaslu)))
    await seal(database)
    receipts = [*kept.read_text().splitlines(), *await receipts_of(bawaslu)]
    kept.write_text("\n".join(receipts))
    await seal(database)
    honest = verify(await export(database, tmp_path / "honest"), Kept(receipts=(kept,)))
    assert (honest.findings, honest.pending, honest.receipts) == ([], [], 10)
    assert honest.documents == honest.entries == honest.sealed > 10
    assert honest.heads == 3  # that of the first start is among them
    index = await touch(url)
    report = verify(await export(database, tmp_path / "touched"), Kept(receipts=(kept,)))
    assert report.findings == [f"Entry {index}: its document is not the one that was hashed."]


async def touch(url: str) -> int:
    """As the superuser, past every trigger, let another agency have cancelled a task; returns the entry's index."""
    engine = create_async_engine(url)
    async with engine.begin() as superuser:
        await superuser.execute(text("alter table event disable trigger all"))
        touched = await superuser.execute(
            text(
                "update event set agency = 'KPU_KOTA_MALANG' where id = ("
                "select id from event where kind = 'task.cancelled' limit 1)"
                " returning (select index from log_entry where event_id = id)"
            )
        )
        index: int = touched.scalar_one()
    await engine.dispose()
    return index
