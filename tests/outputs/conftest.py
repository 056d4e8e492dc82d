"""A service with a nation of tasks: more than one step of a file, for an agency that sees a third of them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from nation import settle
from support import Agency, Contract

from app import start
from app.main import create_app
from app.settings import Settings


@pytest.fixture(scope="module")
async def nation(clone: Callable[[], Awaitable[str]], settings: Settings) -> AsyncIterator[FastAPI]:
    url = await clone()
    await settle(url, count=3_600)
    app = create_app(settings, url)
    yield app
    await app.state.database.close()


@pytest.fixture(scope="module")
async def registrar(nation: FastAPI, settings: Settings) -> AsyncIterator[Agency]:
    """The operator of that service."""
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    hooks = {"response": [Contract(nation).check]}
    transport = httpx.ASGITransport(nation)
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul", event_hooks=hooks) as http:
        yield await Agency(http, next(one for one in kept if one["role"] == "operator")).sign_in()


@pytest.fixture
async def kpu_ri(registrar: Agency) -> Agency:
    """Of the whole country: it sees what is terbuka anywhere. A fresh client each time, so that one can be ended."""
    made = await registrar.post("/v1/clients", {"agency": "KPU_RI", "role": "supervisor", "purpose": "Matriks"})
    return await Agency(registrar.http, {**made.json(), "agency": "KPU_RI"}).sign_in()
