"""A log of its own for those who tamper with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from notary import House, Machine
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
