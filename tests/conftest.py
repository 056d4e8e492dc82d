"""One throwaway PostgreSQL for the run, one migrated template, a clone of it for each worker."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from catalogued import kinds_told
from fastapi import FastAPI
from forger import Forger
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, Contract, SignIn

from app import embedded, start
from app.db import Database
from app.main import create_app
from app.services import sequencer
from app.settings import Settings

TEMPLATE = "simpul_template"
_open = ExitStack()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server and make the template, once, in the process that starts the workers."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    folder = Path(tempfile.mkdtemp(prefix="simpul-tests-"))
    folder.chmod(0o755)
    litter = [folder]
    _open.callback(_sweep, litter)
    url = os.environ.get("SIMPUL_TEST_DATABASE_URL")
    if url is None:
        cluster = _open.enter_context(embedded.serve(folder / "postgres", durable=False))
        litter.append(cluster.home)
        url = cluster.url
        os.environ["SIMPUL_TEST_LOG"] = str(cluster.log)
    os.environ["SIMPUL_TEST_SERVER"] = url
    os.environ["SIMPUL_TEST_VAR"] = str(folder / "var")
    try:
        asyncio.run(_make_template(url, Settings(var=folder / "var")))
    except BaseException:
        _open.close()
        raise


def _sweep(litter: list[Path]) -> None:
    for one in litter:
        shutil.rmtree(one, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the server: nothing started by a test survives it."""
    if not hasattr(session.config, "workerinput"):
        _open.close()


async def _make_template(server: str, settings: Settings) -> None:
    await _administer(server, f"drop database if exists {TEMPLATE}", f"create database {TEMPLATE}")
    url = on(server, TEMPLATE)
    await start.migrate(url)
    database = Database(url, settings)
    settings.var.mkdir(parents=True)
    try:
        await start.load(database, Console(quiet=True), with_register=True)
        keys = database.keys
        await start.signing_ring(database, keys, settings.var / "keys")
        await start.first_clients(database, keys, settings.var)
        async with database.working() as writer:
            await sequencer.sequence(writer, head_every=0)
    finally:
        await database.close()


async def _administer(server: str, *statements: str) -> None:
    engine = create_async_engine(on(server, "postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def on(server: str, database: str) -> str:
    """The address of another database of the same server."""
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What copies the whole server comes first, while there is little on it."""
    items.sort(key=lambda item: item.path.name != "test_replica.py")


@pytest.fixture(scope="session")
def server() -> str:
    return os.environ["SIMPUL_TEST_SERVER"]


@pytest.fixture(scope="session")
def settings() -> Settings:
    # The tests ask faster than anybody does; tests/api/test_quota.py has limits of its own.
    rates: dict[str, Any] = dict.fromkeys(
        ("client_rate", "agency_rate", "failure_rate", "grant_failure_rate"), "100000/second"
    )
    return Settings(var=Path(os.environ["SIMPUL_TEST_VAR"]), log_memory=Path("-"), **rates)


@pytest.fixture(scope="session")
async def clone(server: str, worker_id: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Make a fresh copy of the template; all copies go when the run ends."""
    made: list[str] = []

    async def make() -> str:
        name = f"simpul_{worker_id}_{len(made)}"
        made.append(name)
        await _administer(
            server,
            f"drop database if exists {name} with (force)",
            f"create database {name} template {TEMPLATE} strategy file_copy",
        )
        return on(server, name)

    yield make
    await _administer(server, *(f"drop database if exists {name} with (force)" for name in made))


@pytest.fixture(scope="session")
async def url(clone: Callable[[], Awaitable[str]]) -> str:
    return await clone()


@pytest.fixture(scope="session")
async def app(url: str, settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings, url)
    yield app
    await kinds_told(app.state.database)
    await app.state.database.close()


@pytest.fixture(scope="session")
async def database(app: FastAPI) -> Database:
    database: Database = app.state.database
    return database


@pytest.fixture(scope="session")
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    contract = Contract(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://simpul", event_hooks={"response": [contract.check]}
    ) as client:
        yield client


@pytest.fixture(scope="session")
def credentials(settings: Settings) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = json.loads((settings.var / start.CREDENTIALS).read_text())
    return kept


@pytest.fixture(scope="session")
def sign_in(http: httpx.AsyncClient, credentials: list[dict[str, Any]]) -> SignIn:
    """A client of the first run by agency and role."""

    async def sign_in(agency: str | None, role: str = "supervisor") -> Agency:
        found = next(one for one in credentials if one["agency"] == agency and one["role"] == role)
        return await Agency(http, found).sign_in()

    return sign_in


@pytest.fixture(scope="session")
async def operator(sign_in: SignIn) -> Agency:
    return await sign_in(None, "operator")


@pytest.fixture(scope="session")
def client_of(http: httpx.AsyncClient, operator: Agency) -> SignIn:
    """A new client of any agency, made by an operator."""

    async def client_of(agency: str, role: str = "supervisor", **said: Any) -> Agency:
        made = await operator.post("/v1/clients", {"agency": agency, "role": role, "purpose": "Test", **said})
        assert made.status_code == 201, made.text
        return await Agency(http, {**made.json(), "agency": agency}).sign_in()

    return client_of


@pytest.fixture(scope="session")
async def kpu(sign_in: SignIn) -> Agency:
    return await sign_in("KPU_KOTA_MALANG")


@pytest.fixture(scope="session")
async def bawaslu(sign_in: SignIn) -> Agency:
    return await sign_in("BAWASLU_KOTA_MALANG")


@pytest.fixture(scope="session")
async def polresta(sign_in: SignIn) -> Agency:
    return await sign_in("POLRESTA_MALANG_KOTA")


@pytest.fixture(scope="session")
async def kodim(sign_in: SignIn) -> Agency:
    return await sign_in("KODIM_0833_KOTA_MALANG")


@pytest.fixture(scope="session")
async def bakesbangpol(sign_in: SignIn) -> Agency:
    return await sign_in("BAKESBANGPOL_KOTA_MALANG")


@pytest.fixture(scope="session")
async def bkpsdm(sign_in: SignIn) -> Agency:
    return await sign_in("BKPSDM_KOTA_MALANG")


@pytest.fixture(scope="module")
async def forger(http: httpx.AsyncClient, app: FastAPI, kpu: Agency, bawaslu: Agency) -> Forger:
    """One who has a fresh token of KPU and one of Bawaslu, and our signing key."""
    good, other = [(await Agency(http, one.credentials).sign_in()).token for one in (kpu, bawaslu)]
    return Forger(app.state.keys, good, other)
