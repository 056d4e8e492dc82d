"""What parting the facts by years costs: one fact entered, the facts of a task read, those that wait looked up.

Run it by itself, if you like with the folder of another PostgreSQL's programs: a throwaway server with two copies of
one database, in one of which the migration that parts the facts is taken back. Both hold the same facts, spread over
four years; they take turns in short blocks, so that whatever else the machine does falls on both. SQL alone is
measured, over prepared statements: what an answer costs besides would only hide the difference. Figures are for people.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded, start
from app.services import log, sequencer
from app.settings import ROOT

FACTS, BLOCKS, BLOCK = int(os.environ.get("SIMPUL_BENCH_FACTS", "200000")), 60, 50
YEARS: Final = [datetime.now(UTC).year - back for back in (2, 1, 0)] + [datetime.now(UTC).year + 1]
COLUMNS: Final = (
    "id, kind, object_type, object_id, task_id, agency, client_id, request_id, effective_at, recorded_at, payload,"
    " words, salt, leaf"
)
SAID: Final = "jsonb_build_object('from', 'accepted', 'to', 'in_progress', 'state', jsonb_build_object('version', 3))"
ENTER: Final = (
    f"insert into event ({COLUMNS}) values ($1, 'task.updated', 'task', $2, cast($2 as text)::uuid, null, null,"
    f" 'bench', now(), now(), {SAID}, '{{}}', '', '')"
)
#: Ten facts of each task, all in one year: the tasks of the nation come and go with its elections.
FILL: Final = f"""
    insert into event ({COLUMNS})
    select cast(lpad(to_hex(cast(extract(epoch from make_date($2 + cast(n * 4 / $1 as integer), 1, 1)) as bigint) * 1000
            + cast(n % ($1 / 4) as bigint) * 100000), 12, '0') || '7' || right(md5(n::text), 19) as uuid),
        'task.updated', 'task', md5((n / 10)::text), md5((n / 10)::text)::uuid, null, null, 'bench', now(), now(),
        {SAID}, '{{}}', '', decode(md5(n::text), 'hex') from generate_series(0, $1 - 1) n
"""
HISTORY: Final = log._HISTORY.format(standing="(values (0, 0)) s (sealed, witnessed)")


async def downgrade(url: str) -> None:
    """Put the facts of a database into one table again."""
    config, engine = Config(toml_file=ROOT / "pyproject.toml"), create_async_engine(url)

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.downgrade(config, "raising_1")

    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


async def copies(url: str) -> tuple[asyncpg.Connection, asyncpg.Connection]:
    """A connection to a database with years, and one to its copy without, which hold the same facts."""
    parted, plain = [make_url(url).set(database=one) for one in ("parted", "plain")]
    admin = await connect(url)
    await admin.execute("create database parted")
    await start.migrate(shown(parted))
    one = await connect(shown(parted))
    await one.execute("alter table event disable trigger user")
    await one.execute(FILL, FACTS, YEARS[0])
    await one.execute("alter table event enable trigger user")
    await one.close()
    await admin.execute("create database plain template parted")
    await admin.close()
    await downgrade(shown(plain))
    found = [await connect(shown(one)) for one in (parted, plain)]
    for one in found:
        await one.execute("vacuum analyze event")
    return found[0], found[1]


def shown(url: object) -> str:
    """An address with its password."""
    return str(url.render_as_string(hide_password=False))  # type: ignore[attr-defined]


async def connect(url: str) -> asyncpg.Connection:
    """A connection that sees every row, as the worker does."""
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def enter(one: asyncpg.Connection, seed: random.Random) -> None:
    """One fact of today's in a transaction of its own."""
    moment = int(time.time() * 1000)
    place = UUID(int=moment << 80 | 7 << 76 | seed.getrandbits(12) << 64 | 2 << 62 | seed.getrandbits(62))
    await one.execute(ENTER, place, str(UUID(int=seed.getrandbits(128))))


async def tell(one: asyncpg.Connection, seed: random.Random) -> None:
    """The facts of one task, as they are read for its history."""
    sql, task = numbered(HISTORY), seed.randrange(FACTS // 10)
    found = await one.fetch(sql, await _task(one, task), None)
    assert len(found) == 10, len(found)


def numbered(sql: str) -> str:
    """The same with the arguments as the driver numbers them."""
    return sql.replace(":task_id", "$1").replace("cast(:until", "cast($2").replace(":until", "cast($2 as timestamptz)")


_tasks: dict[int, UUID] = {}


async def _task(one: asyncpg.Connection, number: int) -> UUID:
    if number not in _tasks:
        _tasks[number] = await one.fetchval("select cast(md5($1) as uuid)", str(number))
    return _tasks[number]


async def look(one: asyncpg.Connection, _: random.Random) -> None:
    """What waits for its place in the log, some hundreds of facts, looked up one by one."""
    async with one.transaction():
        await one.execute(
            "set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off"
        )
        await one.fetch(sequencer._QUEUED)


Work = Callable[[asyncpg.Connection, random.Random], Awaitable[None]]


async def block(work: Work, one: asyncpg.Connection, count: int, seed: int) -> float:
    """How long each took (microseconds)."""
    chance, began = random.Random(seed), time.perf_counter()  # noqa: S311
    for _ in range(count):
        await work(one, chance)
    return (time.perf_counter() - began) / count * 1e6


async def measure(url: str) -> Table:
    """Let the two take turns; of each pair of blocks the ratio."""
    parted, plain = await copies(url)
    table = Table("what", "in years, us", "in one table, us", "ratio, median", "quarters", title=f"{FACTS:,} facts")
    for name, work, count in (("enter", enter, BLOCK), ("history", tell, BLOCK), ("queue", look, 1)):
        pairs = []
        for number in range(BLOCKS):
            order = (parted, plain) if number % 2 else (plain, parted)
            took = {one: await block(work, one, count, number) for one in order}
            pairs.append((took[parted], took[plain]))
        pairs = pairs[BLOCKS // 10 :]  # the first ones warm caches
        ratios = [years / table for years, table in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells = [f"{statistics.median(side):,.0f}" for side in zip(*pairs, strict=True)]
        table.add_row(name, *cells, f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    await parted.close()
    await plain.close()
    return table


def main() -> None:
    """Print what it costs."""
    folder = Path(tempfile.mkdtemp(prefix="simpul-bench-"))
    folder.chmod(0o755)
    binaries = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with embedded.serve(folder / "postgres", durable=False, binaries=binaries) as cluster:
        Console().print(asyncio.run(measure(cluster.url)))


if __name__ == "__main__":
    main()
