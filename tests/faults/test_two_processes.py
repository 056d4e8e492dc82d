"""Two API processes on one database: a rotation fails no request, a revocation spares none.

A little in every run; with SIMPUL_FULL set, up to 200 requests a second for half a minute, and every revocation tried
a hundred times on the very next request.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import cycle
from time import monotonic
from typing import Any

import httpx
import pytest
from support import Agency, scaled

from app.claims import unb64
from app.db import Database, value
from app.rules.caller import itself
from app.security import Keys
from app.services import signing
from app.settings import ROOT, Settings

pytestmark = pytest.mark.attack

# The service as `simpul serve` runs it, on a port that the system chooses; it ends with its standard input.
SERVER = """
import asyncio, os, socket, sys, uvicorn
from app.main import create_app
from app.settings import settings
chosen = settings()
server = uvicorn.Server(uvicorn.Config(
    create_app(chosen, chosen.database_url.get_secret_value()), log_level="warning", access_log=False,
))
async def main():
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: setattr(server, "should_exit", True))
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    print(bound.getsockname()[1], flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads the log: a full pipe would stop the process
    await server.serve(sockets=[bound])
asyncio.run(main())
"""
RATE = scaled(40, 200)
SECONDS = scaled(6, 30)
TRIES = scaled(5, 100)
TURN = 1.5  # between rotations: longer than a ring that was just read may be used unread (one second)


@contextmanager
def api(url: str, settings: Settings) -> Iterator[str]:
    """One API process."""
    environment = {
        **os.environ,
        "SIMPUL_DATABASE_URL": url,
        "SIMPUL_VAR": str(settings.var),
        "SIMPUL_LOG_MEMORY": "-",
        # what is tried here is not the quota
        **{f"SIMPUL_{one}_RATE": "1000000/minute" for one in ("CLIENT", "AGENCY", "FAILURE", "GRANT_FAILURE")},
    }
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.stdin.close()
        child.stdout.close()
        try:
            child.wait(timeout=15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Pair:
    """Both processes, and the database beneath them."""

    def __init__(self, doors: list[httpx.AsyncClient], database: Database, credentials: list[dict[str, Any]]) -> None:
        self.doors, self.database = doors, database
        self.credentials = [one for one in credentials if one["role"] == "supervisor"]
        self.operator = Agency(doors[0], credentials[-1])

    async def token(self, door: int, who: int = 0) -> str:
        signed_in = await Agency(self.doors[door], self.credentials[who]).sign_in()
        return signed_in.headers["Authorization"]

    async def status(self, door: int, authorization: str) -> int:
        return (await self.doors[door].get("/v1/me", headers={"Authorization": authorization})).status_code

    async def change(self, sql: str, **values: Any) -> None:
        async with self.database.writing() as writer:
            assert await value(writer, sql, **values) is not None


@pytest.fixture(scope="module")
async def pair(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[Pair]:
    url = await clone()
    database = Database(url, settings)
    with ExitStack() as stack:
        doors = [
            httpx.AsyncClient(base_url=stack.enter_context(api(url, settings)), timeout=20, trust_env=False)
            for _ in range(2)
        ]
        for door in doors:
            while True:
                try:
                    assert (await door.get("/readyz")).status_code == 200
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        yield Pair(doors, database, credentials)
        for door in doors:
            await door.aclose()
    await database.close()


async def test_rotations_under_load_fail_no_request(pair: Pair, settings: Settings) -> None:
    keys = Keys.open(settings.var / "keys", issuer=settings.issuer)
    kids: set[str] = set()
    statuses: Counter[int] = Counter()
    tokens = [await pair.token(door) for door in (0, 1)]
    done, crowd = asyncio.Event(), asyncio.Semaphore(16)  # more would be refused for the queue, not for the ring

    async def turn() -> int:
        turned = 0
        while not done.is_set():
            await asyncio.sleep(TURN)
            async with pair.database.writing() as writer:
                await signing.rotate(writer, keys, by=itself("test"), notice=timedelta(seconds=1.2))
            turned += 1
        return turned

    async def renew() -> None:
        for door, who in cycle((door, who) for who in range(len(pair.credentials)) for door in (0, 1)):
            if done.is_set():
                return
            tokens[door] = await pair.token(door, who)
            kids.add(json.loads(unb64(tokens[door].removeprefix("Bearer ").partition(".")[0]))["kid"])
            await asyncio.sleep(0.1)

    async def ask(door: int, authorization: str) -> None:
        try:
            statuses[await pair.status(door, authorization)] += 1
        finally:
            crowd.release()

    turning, renewing = asyncio.create_task(turn()), asyncio.create_task(renew())
    began, number = monotonic(), 0
    async with asyncio.TaskGroup() as asking:
        while (now := monotonic()) < began + SECONDS:
            await asyncio.sleep(max(0.0, began + number / RATE - now))
            await crowd.acquire()
            # every token is used at once, at the process that did not sign it as well
            asking.create_task(ask(number % 2, tokens[number // 2 % 2]))
            number += 1
    done.set()
    turned = await turning
    await renewing
    assert statuses == {200: number}
    assert number >= RATE * SECONDS / 8, "a machine too slow to show anything"
    assert turned >= SECONDS / TURN / 2
    assert len(kids) > 1, "no process ever signed with another key"


REVOKED = {
    "token": None,
    "secret": "update client_secret set revoked_at = now() where client_id = cast(:id as uuid) returning id",
    "client": "update client set status = 'revoked' where id = cast(:id as uuid) returning id",
    "tokens of the client": "update client set epoch = epoch + 1 where id = cast(:id as uuid) returning id",
    "tokens of the agency": (
        "update agency set epoch = epoch + 1 where code ="
        " (select agency from client where id = cast(:id as uuid)) returning code"
    ),
    "tokens of all": "update epoch set number = number + 1 where cast(:id as uuid) is not null returning number",
}


@pytest.mark.parametrize("what", REVOKED)
async def test_what_is_revoked_is_refused_on_the_very_next_request_by_both_processes(what: str, pair: Pair) -> None:
    refused: Counter[int] = Counter()
    for number in range(TRIES):
        await pair.operator.sign_in()
        made = await pair.operator.post(
            "/v1/clients", {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": f"Uji {number}"}
        )
        form = {name: made.json()[name] for name in ("client_id", "client_secret")}
        granted = await pair.doors[number % 2].post("/oauth2/token", data={"grant_type": "client_credentials", **form})
        token = granted.json()["access_token"]
        assert [await pair.status(door, f"Bearer {token}") for door in (0, 1)] == [200, 200]
        sql = REVOKED[what]
        if sql is None:
            answer = await pair.doors[number % 2].post("/oauth2/revoke", data={**form, "token": token})
            assert answer.status_code == 200
        else:
            await pair.change(sql, id=form["client_id"])
        both = await asyncio.gather(*(pair.status(door, f"Bearer {token}") for door in (0, 1)))
        refused.update(both)
    assert refused == {401: 2 * TRIES}
