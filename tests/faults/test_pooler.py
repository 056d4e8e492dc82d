"""Behind a pooler in transaction mode: whoever comes next on a connection finds nothing of who was there before."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from house import VILLAGE
from pooler import PROGRAM, pooled
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, scaled

from app import worker
from app.db import Database, row, rows, value
from app.errors import Timeout
from app.main import create_app
from app.outages import problem_of
from app.settings import ROOT, Settings

pytestmark = pytest.mark.attack

needs_pooler = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")
CLIENTS = 12  # connections of the service: more than the pooler keeps
BOUNDS = ("jit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture(params=[1, 3])
async def behind(
    request: pytest.FixtureRequest, clone: Callable[[], Awaitable[str]], settings: Settings
) -> AsyncIterator[tuple[FastAPI, int]]:
    """The service behind a pooler that keeps so many connections for it."""
    through = {"pooled": True, "pool_size": CLIENTS, "pool_timeout": 60.0}
    with pooled(await clone(), size=request.param) as url:
        app = create_app(settings.model_copy(update=through), url)
        yield app, request.param
        await app.state.database.close()


@needs_pooler
async def test_requests_of_two_agencies_through_a_pooler_never_cross(
    behind: tuple[FastAPI, int], credentials: list[dict[str, Any]]
) -> None:
    app, size = behind
    wrong: list[str] = []
    seen = written = 0

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:

        async def sign_in(agency: str) -> Agency:
            found = next(one for one in credentials if one["agency"] == agency and one["role"] == "supervisor")
            return await Agency(http, found).sign_in()

        both = [await sign_in("KPU_KOTA_MALANG"), await sign_in("KODIM_0833_KOTA_MALANG")]
        own = [
            await one.log(title=f"kenari-{number}", classification="terbatas", region=VILLAGE)
            for number, one in enumerate(both)
        ]

        reads = [path for one in own for path in (f"/v1/tasks/{one['id']}", f"/v1/tasks/{one['id']}/comments")]
        questions = [(who, path) for who in (0, 1) for path in (*reads, "/v1/tasks?limit=5")]
        lawful = {(who, path): (await both[who].get(path)).status_code for who, path in questions}  # asked alone

        async def ask(number: int) -> None:
            nonlocal seen, written
            who, path = questions[number % len(questions)]
            answer = await both[who].get(path)
            seen += f"kenari-{who}" in answer.text
            if answer.status_code != lawful[who, path] or f"kenari-{1 - who}" in answer.text:
                wrong.append(f"{who} {path} {answer.status_code} {answer.text[:200]}")
            if number % 7 == 0:
                said = await both[who].post(f"/v1/tasks/{own[who]['id']}/comments", {"body": f"kenari-{who}"})
                written += said.status_code == 201

        total = scaled(400, 4_000)
        for begin in range(0, total, 40):
            await asyncio.gather(*(ask(number) for number in range(begin, begin + 40)))
        async with app.state.database.reading() as reader:
            backends = await value(reader, "select count(*) from pg_stat_activity where datname = current_database()")
            left = await rows(reader, "select name from pg_prepared_statements")
    assert wrong == []
    assert set(lawful.values()) > {200}
    assert seen > total / 5
    assert written == len(range(0, total, 7))
    assert backends <= size < app.state.database.engine.pool.checkedin()
    assert left == []


@needs_pooler
async def test_what_bounds_a_transaction_holds_behind_a_pooler_and_ends_with_it(
    behind: tuple[FastAPI, int],
) -> None:
    database: Database = behind[0].state.database
    asked = "select " + ", ".join(f"current_setting('{name}') as {name}" for name in BOUNDS)
    told = []
    for transaction in (database.reading, database.writing, database.working):
        async with transaction() as executor:
            told.append(await row(executor, asked))
    plain = create_async_engine(
        database.engine.url,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,
        },
    )
    async with plain.connect() as connection:
        after = dict((await connection.exec_driver_sql(asked)).mappings().one())
        role = (await connection.exec_driver_sql("select current_user = session_user")).scalar()
    await plain.dispose()
    assert told == [dict(zip(BOUNDS, ("off", "5s", "2500ms", "15s"), strict=True))] * 3
    assert after["statement_timeout"] == after["lock_timeout"] == "0"
    assert role

    hurried = Database(
        database.engine.url.render_as_string(hide_password=False),
        database.settings.model_copy(update={"statement_timeout": 0.2}),
    )
    with pytest.raises(Exception, match="statement timeout") as stopped:
        async with hurried.reading() as reader:
            await value(reader, "select pg_sleep(5)")
    await hurried.close()
    assert isinstance(problem_of(stopped.value), Timeout)


@needs_pooler
async def test_the_worker_tends_through_a_pooler(behind: tuple[FastAPI, int]) -> None:
    database: Database = behind[0].state.database
    async with database.working() as writer:
        client = await value(writer, "select id from client limit 1")
        await value(
            writer,
            "insert into revoked_token (jti, client_id, expires_at)"
            " values (gen_random_uuid(), :client, now() - interval '1 day') returning jti",
            client=client,
        )
    await worker.tend(database)
    async with database.working() as writer:
        assert await value(writer, "select count(*) from revoked_token where expires_at < now()") == 0


@needs_pooler
async def test_without_the_setting_a_pooler_turns_the_service_away(
    clone: Callable[[], Awaitable[str]], settings: Settings
) -> None:
    with pooled(await clone(), size=1) as url:
        database = Database(url, settings)
        with pytest.raises(Exception, match="unsupported startup parameter"):
            async with database.reading() as reader:
                await value(reader, "select 1 as one")
        await database.close()


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_nothing_migrates_through_a_pooler(command: str, tmp_path: Path) -> None:
    given = {"SIMPUL_DATABASE_URL": "postgresql://api@127.0.0.1:1/none", "SIMPUL_POOLED": "true"}
    given |= {"SIMPUL_VAR": str(tmp_path), "SIMPUL_PORT": "0"}
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", command], cwd=ROOT, env={**os.environ, **given}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode != 0
    assert "set SIMPUL_OWNER_URL to reach PostgreSQL itself" in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr
