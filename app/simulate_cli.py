"""`simpul simulate`: a nation at work, for whoever measures; never in production."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app import start
from app.db import Database, Writer, value
from app.rules.caller import itself
from app.rules.vocabulary import Role
from app.schemas.clients import ClientInput
from app.services import bulk, client_moves, locks, sequencer, simulated_nation, simulated_rows
from app.services.bulk import Astray
from app.services.locks import Lock
from app.services.signing import RingRefused
from app.services.simulated_rows import Rows
from app.terminal import chosen_settings, console, fail, own_database

#: How many tasks a process makes at once, and how many such batches wait for each.
_BATCH: Final = 500
_AHEAD: Final = 2


class Refused(Exception):
    """The nation can't be simulated here; the text is a sentence that says why."""


def simulate(
    *,
    tasks: Annotated[int, typer.Option(help="How many tasks.", min=1)] = 1_000_000,
    seed: Annotated[int, typer.Option(help="The same seed and number: the same rows.")] = 2024,
    more: Annotated[bool, typer.Option("--more", help="Even where there are tasks already.")] = False,
    processes: Annotated[int, typer.Option(help="How many processes make rows.", min=1, max=16)] = os.cpu_count() or 1,
    clients: Annotated[int, typer.Option(help="For how many agencies to make a client that can sign in.", min=0)] = 0,
    credentials: Annotated[Path | None, typer.Option(help="Where to keep those; default var/credentials.json.")] = None,
) -> None:
    """Load a nation at work: every region that votes, its agencies, and their tasks of 2024 with all that befell them.

    All of it or nothing. Refuses in production, and where there are tasks already.
    """
    chosen = chosen_settings()
    if chosen.env == "production":
        fail("A nation is never simulated in production.")

    async def run(url: str) -> None:
        database = Database(url, chosen)
        try:
            await start.migrate(url)
            await start.load_if_new(database, console, with_register=False)
            await start.signing_ring(database, database.keys, chosen.var / "keys")
            await start.first_clients(database, database.keys, chosen.var)
            await populate(database, tasks=tasks, seed=seed, more=more, processes=processes)
            made = await make_clients(database, clients)
            start.keep_also(credentials or chosen.var / start.CREDENTIALS, made)
        finally:
            await database.close()

    try:
        with own_database(chosen) as url:
            asyncio.run(run(url))
    except (Refused, Astray, RingRefused) as error:
        fail(str(error))
    console.print(f"The nation has {tasks:,} more tasks.")


async def populate(database: Database, *, tasks: int, seed: int, more: bool, processes: int) -> None:
    """Fill the tables, in one transaction, with progress bars; raises Refused, Astray."""
    await _settle_log(database)
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        async with database.writing() as writer:
            await bulk.take_time(writer)
            await _require_room(writer, more=more)
            await simulated_nation.raise_offices(writer)
            clients = await simulated_nation.clients_of(writer)
            new = await simulated_nation.unknown(writer, clients)
            first = await value(writer, "select count(*) from task")
            nation = await simulated_nation.nation_of(writer, clients)
            last = progress.add_task("indexes", total=None, start=False)
            async with bulk.filling(writer, report=lambda done, of: progress.update(last, completed=done, total=of)):
                await bulk.fill(writer, simulated_rows.of_clients(new))
                bar = progress.add_task("tasks", total=tasks)
                begin = partial(simulated_rows.begin, nation, database.keys.pepper, seed, first, tasks)
                async with _batches(begin, tasks, processes) as made:
                    async for done, rows in made:
                        await bulk.fill(writer, rows)
                        progress.update(bar, completed=done)
                bar = progress.add_task("log", total=None)
                async for placed in sequencer.place_all(writer):
                    progress.update(bar, completed=placed)
                progress.start_task(last)


async def _settle_log(database: Database) -> None:
    """Give places to the facts that wait for one."""
    placed = 1
    while placed:
        async with database.working() as writer:
            placed = (await sequencer.sequence(writer, head_every=0)).placed


async def _require_room(writer: Writer, *, more: bool) -> None:
    """Have this database to oneself, without tasks unless more are wanted; raises Refused."""
    await locks.wait(writer, Lock.PREPARATION)
    await locks.wait(writer, Lock.SEQUENCE)
    if await value(writer, "select 1 as there from unsequenced limit 1"):
        raise Refused("Facts wait for their place in the log: let the service place them, or resume the log.")
    if not more and await value(writer, "select 1 as there from task limit 1"):
        raise Refused("There are tasks in this database: --more adds to them.")


@asynccontextmanager
async def _batches(
    begin: Callable[[], None], tasks: int, processes: int
) -> AsyncIterator[AsyncIterator[tuple[int, Rows]]]:
    """Batches in their order, made by processes of a pool that is a little ahead; how many tasks are done with each."""
    parts = [(first, min(first + _BATCH, tasks)) for first in range(0, tasks, _BATCH)]
    spawned = get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(parts)), mp_context=spawned, initializer=begin) as pool:
        yield _in_order(pool, parts, ahead=processes * _AHEAD)


async def _in_order(
    pool: ProcessPoolExecutor, parts: list[tuple[int, int]], *, ahead: int
) -> AsyncIterator[tuple[int, Rows]]:
    loop, left = asyncio.get_running_loop(), iter(parts)
    waiting: deque[tuple[int, Awaitable[Rows]]] = deque()
    while True:
        waiting.extend(
            (after, loop.run_in_executor(pool, simulated_rows.batch, first, after))
            for first, after in islice(left, ahead - len(waiting))
        )
        if not waiting:
            return
        after, made = waiting.popleft()
        yield after, await made


async def make_clients(database: Database, count: int) -> list[dict[str, Any]]:
    """Make a supervisor, with a secret, for so many agencies; returns them as the credentials of the first run are."""
    made = []
    async with database.working() as writer:
        for agency in await simulated_nation.largest(writer, count):
            wanted = ClientInput(agency=agency, role=Role.SUPERVISOR, purpose="Simulated nation")
            one = await client_moves.create_client(writer, itself("simulate"), database.keys, wanted)
            shown = {name: one[name] for name in ("agency", "client_id", "client_secret", "role")}
            made.append({**shown, "client_id": str(one["client_id"])})
    await _settle_log(database)
    return made
