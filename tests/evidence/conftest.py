"""A log of its own for those who tamper with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from ageing import age
from notary import House, Machine
from retiring import ACCEPTED, LOGGED, STARTED, YEAR, Old, exported
from stories import words
from support import Agency
from typer.testing import CliRunner, Result

from app import cli, start
from app.main import create_app
from app.settings import Settings
from app.settings import settings as read_settings


@pytest.fixture
async def house(clone: Callable[[], Awaitable[str]], settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    """A service on a database of its own, and a few agencies that work there."""
    url = await clone()
    app = create_app(settings, url)
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as http:
        of = {(one["agency"], one["role"]): one for one in kept}
        bakesbangpol, bkpsdm = [
            await Agency(http, of[f"{one}_KOTA_MALANG", "supervisor"]).sign_in() for one in ("BAKESBANGPOL", "BKPSDM")
        ]
        admin = await Agency(http, of["BAKESBANGPOL_KOTA_MALANG", "agency_admin"]).sign_in()
        operator = await Agency(http, of[None, "operator"]).sign_in()
        yield House(app, url, http, bakesbangpol, bkpsdm, admin, operator, tmp_path)
    await app.state.database.close()


@pytest.fixture
def machine(house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Run a command at the machine that the house stands on."""
    monkeypatch.setenv("SIMPUL_DATABASE_URL", house.url)
    monkeypatch.setenv("SIMPUL_VAR", str(settings.var))
    monkeypatch.setenv("SIMPUL_LOG_MEMORY", "-")
    monkeypatch.setenv("COLUMNS", "300")

    async def run(*words: str) -> Result:
        read_settings.cache_clear()
        try:
            return await asyncio.to_thread(CliRunner().invoke, cli.app, words)
        finally:
            read_settings.cache_clear()

    return run


@pytest.fixture
async def old(house: House, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Old:
    monkeypatch.setenv("SIMPUL_RETENTION_YEARS", "1")
    monkeypatch.setenv("SIMPUL_WITNESSES", "1")
    await house.seal()
    task = await house.bkpsdm.accept(await house.bakesbangpol.log(effective_at=LOGGED), effective_at=ACCEPTED)
    assert (await house.bkpsdm.move(task["id"], "start", effective_at=STARTED)).status_code == 200
    said = await house.bakesbangpol.post(
        f"/v1/tasks/{task['id']}/comments", {"body": "Sudah dihubungi."}, headers={"Acting-User": "staf-17"}
    )
    assert said.status_code == 201, said.text
    closed = await house.bkpsdm.accept(await house.bakesbangpol.log(title="Apel netralitas", effective_at=LOGGED))
    assert (await house.bkpsdm.move(closed["id"], "cancel", **words(["reason"]))).status_code == 200
    facts = await age(house.superuser, YEAR)
    return Old(house, machine, task, closed, facts, await exported(house, "left"))
