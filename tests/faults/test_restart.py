"""PostgreSQL is killed with -9 under the service at work, again and again: all of it goes on by itself."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from receiving import Receiver, receiving
from rich.console import Console
from running import Running, running
from support import Agency, scaled
from worker.judging import judge
from worker.test_worker import workers_of
from yard import BAWASLU, KPU, Yard

from app import embedded, start
from app.db import Database
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
CRASHES = scaled(2, 10)


class Cluster:
    """A PostgreSQL of its own, which can be killed and started again in its place."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        with embedded.serve(folder, durable=False) as prepared:  # for this part nothing needs to last
            asyncio.run(prepare(prepared.url))
        self._served = self._stack.enter_context(embedded.serve(folder))

    @property
    def url(self) -> str:
        return self._served.url

    def crash(self) -> None:
        """Kill the postmaster and start another one."""
        postmaster = int((self._served.home / "cluster/data/postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        self.close()
        before, self._served = self._served, self._stack.enter_context(embedded.serve(self._folder))
        assert self._served == before
        assert "was not properly shut down" in self._served.log.read_text()

    def close(self) -> None:
        self._stack.close()


async def prepare(url: str) -> None:
    await start.migrate(url)
    database = Database(url, Settings())
    await start.load(database, Console(quiet=True), with_register=False)
    await database.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="simpul-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder / "postgres")
    yield cluster
    cluster.close()


@asynccontextmanager
async def at_work(cluster: Cluster, folder: Path, receiver: Receiver) -> AsyncIterator[tuple[Running, Yard]]:
    """The service with its worker, which delivers to the receiver."""
    settings = Settings(
        var=folder / "var",
        webhook_ca=receiver.authority,
        webhook_first_delay=0.2,
        webhook_networks="127.0.0.0/8",
        webhook_ports=f"443,{receiver.port}",
    )
    more = {name: str(getattr(settings, name)) for name in settings.model_fields_set if name.startswith("webhook_")}
    environment = {f"SIMPUL_{name.upper()}": held for name, held in more.items()}
    environment["SIMPUL_REGISTER_ON_START"] = "false"
    with running(cluster.url, settings, more=environment) as served:
        app = create_app(settings, cluster.url)
        kept = json.loads((settings.var / start.CREDENTIALS).read_text())
        async with httpx.AsyncClient(base_url=served.address, timeout=20, trust_env=False) as http:
            operator = await Agency(http, next(one for one in kept if one["role"] == "operator")).sign_in()
            yield served, Yard(cluster.url, app, settings, http, receiver, operator)
        await app.state.database.close()


async def register(yard: Yard, done: asyncio.Event, codes: list[str]) -> None:
    """Elections, one after the other, as long as it takes; the codes of those that were answered with 201."""
    while not done.is_set():
        code = f"uji-{uuid4().hex[:12]}"
        body = {"code": code, "kind": "pilkada", "name_id": "Uji", "region_code": "35.73"}
        answer = await yard.operator.post("/v1/elections", {**body, "voting_date": "2029-11-27"})
        assert answer.status_code in {201, 503}, answer.text
        if answer.status_code == 201:
            codes.append(code)
        await asyncio.sleep(0.02)


@pytest.mark.attack
async def test_a_database_that_is_killed_and_started_again_loses_and_doubles_nothing(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    chance, codes, done = random.Random(), list[str](), asyncio.Event()  # noqa: S311
    async with receiving(tmp_path) as receiver, at_work(cluster, folder, receiver) as (served, yard):
        workers = workers_of(served.process.pid)
        hooks = {f"/{whose}": await yard.hook(whose, f"/{whose}", "election.*") for whose in (KPU, BAWASLU)}
        writing = [asyncio.create_task(register(yard, done, codes)) for _ in range(2)]
        for _ in range(CRASHES):
            await receiver.until(f"/{KPU}", len(receiver.at(f"/{KPU}")) + 5, patience=30)
            await asyncio.sleep(chance.uniform(0, 0.3))
            await asyncio.to_thread(cluster.crash)
            assert workers_of(served.process.pid) == workers, "the worker did not live through it"
        await receiver.until(f"/{KPU}", len(receiver.at(f"/{KPU}")) + 5, patience=30)
        done.set()
        await asyncio.gather(*writing)
        for hook in hooks.values():
            await yard.settled(hook)
        assert (await judge(yard.database)).waiting == 0
        entries = await yard.entries("election.created", since=0)
        for path, hook in hooks.items():
            came = [(one.event["logindex"], one.id) for one in receiver.at(path)]
            assert sorted(set(came)) == [one for one in entries if one[0] > hook["position"]]
            assert all(earlier <= later for earlier, later in pairwise(came))
            assert len(came) <= len(set(came)) + CRASHES
            # of those that were answered with 503 some are there, too: nobody heard that they were written
            assert {f"elections/{code}" for code in codes} <= {one["subject"] for one in receiver.events(path)}
    print(f"{CRASHES} crashes, {len(codes)} elections, {len(entries)} entries")  # noqa: T201
