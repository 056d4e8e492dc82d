"""What the contest stands on: one PostgreSQL that waits for its disk, a nation in it, callers with tokens, a size."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from benchmarks.contest import processes
from benchmarks.contest.processes import Served
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app import embedded, start

CITY, NATION = "KPU_KOTA_MALANG", "KPU_RI"
SEED = 2024
#: Seconds of a look at what processes spend, and what part of a core they may take at rest.
_LOOK, _AT_REST = 4.0, 0.2


@dataclass(frozen=True)
class Size:
    """How much is measured: tasks, of the small nation too, rounds of blocks and their seconds, requests for memory.

    `longest` bounds the seconds that these last may take. Only a `whole` run compares two nations and two processes,
    and measures memory and start-up.
    """

    tasks: int
    few: int
    rounds: int
    seconds: float
    many_requests: int
    longest: float
    whole: bool = True

    @classmethod
    def chosen(cls) -> Size:
        """The full size, or the short one where SIMPUL_BENCH says so; single figures may be set beside it."""
        whole = cls(1_000_000, 10_000, 9, 4, 1_000_000, 1_200)
        short = cls(5_000, 0, 2, 1, 0, 0, whole=False)
        size = short if os.environ.get("SIMPUL_BENCH") == "short" else whole
        named = {"tasks": "TASKS", "few": "FEW", "rounds": "ROUNDS", "many_requests": "REQUESTS"}
        given = {name: os.environ.get(f"SIMPUL_BENCH_{word}") for name, word in named.items()}
        chosen: dict[str, Any] = {name: int(content) for name, content in given.items() if content}
        return replace(size, **chosen)


@dataclass
class Ground:
    """A database with a nation in it, and the clients whose callers are measured."""

    url: str
    var: Path
    logs: Path
    postmaster: int
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, int]]:
    """A durable PostgreSQL: the address of its database, and its process."""
    with embedded.serve(folder / "postgres", durable=True) as running:
        yield running.url, _postmaster(running.home)


def _postmaster(home: Path) -> int:
    return int(next(home.glob("**/postmaster.pid")).read_text().split()[0])


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection on which each statement stands for itself."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def another(url: str, name: str) -> str:
    """The address of a further database in the same cluster."""
    async with _connected(url) as connection:
        await connection.execute(text(f"create database {name}"))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def lay(url: str, postmaster: int, folder: Path, name: str, *, tasks: int) -> Ground:
    """A nation, simulated, and where its server keeps what is its own."""
    var, logs = folder / name, folder / "logs"
    for one in (var, logs):
        one.mkdir(parents=True, exist_ok=True)
    simulate(url, var, tasks=tasks)
    asyncio.run(_tidy(url))
    kept = json.loads((var / start.CREDENTIALS).read_text())
    return Ground(url, var, logs, postmaster, {one["agency"]: one for one in kept if one["role"] == "supervisor"})


def simulate(url: str, var: Path, *, tasks: int) -> None:
    """`simpul simulate` on an empty database, with the first clients and one of the nation's KPU."""
    subprocess.run(
        [processes.PYTHON, "-m", "app.cli", "simulate", f"--tasks={tasks}", f"--seed={SEED}", "--clients=1"],
        check=True,
        cwd=processes.ROOT,
        env=processes.plain_environment() | {"SIMPUL_DATABASE_URL": url, "SIMPUL_VAR": str(var)},
        timeout=processes.LONGEST,
    )


async def _tidy(url: str) -> None:
    """Do now what autovacuum would do amid the measuring."""
    async with _connected(url) as connection:
        await connection.execute(text("vacuum analyze"))


@contextmanager
def ours(ground: Ground, **settings: str) -> Iterator[Served]:
    """Contestant c: `simpul serve`, its worker included, its access log written to a file; only quotas are raised.

    Further `settings` by their names: `SIMPUL_WORKERS="2"`.
    """
    port = processes.free_port()
    rates = ("CLIENT", "AGENCY", "FAILURE", "GRANT_FAILURE")
    environment = {f"SIMPUL_{name}_RATE": "1000000/second" for name in rates}
    environment |= {
        "SIMPUL_DATABASE_URL": ground.url,
        "SIMPUL_VAR": str(ground.var),
        "SIMPUL_PORT": str(port),
        "SIMPUL_REGISTER_ON_START": "false",
    }
    environment |= settings
    command = [processes.PYTHON, "-m", "app.cli", "serve"]
    with processes.started(command, environment=environment, log=ground.logs / "ours.log") as pid:
        served = Served(pid, port)
        processes.await_answer(served, "/readyz", ready=200)
        yield served


def granted(http: httpx.Client, client: dict[str, Any]) -> str:
    """A fresh token."""
    form = {name: client[name] for name in ("client_id", "client_secret")}
    answer = http.post("/oauth2/token", data={"grant_type": "client_credentials", **form})
    answer.raise_for_status()
    return str(answer.json()["access_token"])


OWNER = "BKPSDM_KOTA_MALANG"
_IN_WORK = """
with made as (
    insert into task (id, reference, title, description, category, function, region_code, classification, priority,
        logged_by, holder, accountable, mandate, accepted_at, supporting, informed, recused_offices, status, facts,
        readers, summary_readers, effective_at, last_effective_at, version)
    select gen_random_uuid(), cast(:mark as text) || '-' || n, 'Bandingkan', 'Dalam pengerjaan.', 'asn_neutrality',
        'prevention', '35.73', 'terbatas', 'medium', :logger, :owner, :owner, 'M01', now(), '{}', '{}', '{}',
        'in_progress', '{}', '{}', '{}', now(), now(), 1
    from generate_series(1, :count) n on conflict do nothing returning id, mandate, accepted_at
), held as (
    insert into assignment (id, task_id, agency, role, mandate, period)
    select gen_random_uuid(), id, :owner, 'accountable', mandate, tstzrange(accepted_at, null) from made
    returning task_id
)
select task_id from held
"""


async def put_to_work(url: str, *, mark: str, count: int) -> None:
    """So many tasks that their owner is working on, for moves; `mark` begins their references."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        given = {"mark": mark, "count": count, "logger": CITY, "owner": OWNER}
        made = (await connection.execute(text(_IN_WORK), given)).scalars().all()
        await connection.execute(
            text("select app.keep_readers(id) from unnest(cast(:ids as uuid[])) id"), {"ids": made}
        )
    await engine.dispose()


async def in_work(url: str, *, mark: str) -> list[tuple[str, int, str]]:
    """Id, version and status of each of them."""
    async with _connected(url) as connection:
        asked = "select cast(id as text), version, status from task where reference like :mark || '-%' order by id"
        found = (await connection.execute(text(asked), {"mark": mark})).all()
    return [(task, version, status) for task, version, status in found]


_LOGGED = "select not exists (select from unsequenced)"
_IDLE = """
select not exists (select from pg_stat_activity where backend_type = 'client backend' and state <> 'idle'
    and pid <> pg_backend_pid())
"""


async def drained(url: str) -> None:
    """Wait until the log has caught up; raises RuntimeError when it does not."""
    await _until(url, _LOGGED, patience=60)


async def idle(url: str) -> None:
    """Wait until nobody asks anything any more, so that what one left does not slow the next; raises RuntimeError."""
    await _until(url, _IDLE, patience=300)


async def _until(url: str, asked: str, *, patience: float) -> None:
    async with _connected(url) as connection:
        until = time.monotonic() + patience
        while not (await connection.execute(text(asked))).scalar_one():
            if time.monotonic() > until:
                raise RuntimeError(f"not within {patience:g} s: {asked}")
            await asyncio.sleep(0.02)


async def checkpoint(url: str) -> None:
    """Write now what PostgreSQL would write amid the measuring."""
    async with _connected(url) as connection:
        await connection.execute(text("checkpoint"))


def rest(served: Served, postmaster: int, *, patience: float = 1800.0) -> None:
    """Wait until the background process has caught up with what fell due long ago, and four fifths of a core rest."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = processes.spent(served.pid) + processes.spent(postmaster)
        time.sleep(_LOOK)
        if processes.spent(served.pid) + processes.spent(postmaster) - before < _AT_REST * _LOOK:
            return
    raise RuntimeError("the background process finds no rest")


class Tokens:
    """A token for each agency, renewed before it ends."""

    def __init__(self, ground: Ground, served: Served) -> None:
        self.ground, self.http = ground, httpx.Client(base_url=served.address, timeout=60)
        self._kept: dict[str, tuple[float, str]] = {}

    def headers(self, agency: str) -> dict[str, str]:
        """What proves who asks."""
        since, token = self._kept.get(agency, (0.0, ""))
        if time.monotonic() > since + 240:
            since, token = time.monotonic(), granted(self.http, self.ground.clients[agency])
            self._kept[agency] = (since, token)
        return {"Authorization": f"Bearer {token}"}

    def get(self, agency: str, path: str) -> httpx.Response:
        """An answer of ours."""
        answer = self.http.get(path, headers=self.headers(agency))
        answer.raise_for_status()
        return answer
