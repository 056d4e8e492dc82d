"""The background process: forgets what has ended, announces what soon will, ends keys that are outlived.

Any number may run; each ends when its parent does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from app import logs
from app.db import Database, Writer, problem_of
from app.rules.caller import itself
from app.services import expiry, idempotency, signing, tokens
from app.settings import Settings, settings

PAUSE: Final = 60.0
_log: Final = structlog.get_logger()
#: What there is to do in each round, each in a transaction of its own, by what the log says of it.
_CHORES: Final[dict[str, Callable[[Writer], Awaitable[int]]]] = {
    "answers_forgotten": idempotency.forget_expired,
    "revocations_forgotten": tokens.forget_ended,
    "expiries_announced": partial(expiry.warn, by=itself("worker")),
    "keys_retired": partial(signing.retire, by=itself("worker")),
}


async def tend(database: Database) -> None:
    """One round of housekeeping; a database that can't be reached is left for the next round."""
    for done, chore in _CHORES.items():
        try:
            async with database.working() as writer:
                count = await chore(writer)
        except Exception as error:
            if problem_of(error) is None:
                raise
            _log.warning("database_unreachable")
            return
        if count:
            _log.info(done, count=count)


async def work(chosen: Settings, url: str, *, parent: asyncio.StreamReader | None) -> None:
    """Tend the database until the parent's end of the pipe closes, or for ever without one."""
    database = Database(url, chosen)
    try:
        while True:
            await tend(database)
            if parent is None:
                await asyncio.sleep(PAUSE)
                continue
            try:
                async with asyncio.timeout(PAUSE):
                    await parent.read()
            except TimeoutError:
                continue
            return
    finally:
        await database.close()


async def _run() -> None:
    logs.configure()
    chosen = settings()
    url = chosen.worker_url or chosen.database_url
    if url is None:
        raise SystemExit("Set SIMPUL_DATABASE_URL; `.venv/bin/python -m app.cli serve` does it for its own worker.")
    parent = None
    if "--with-parent" in sys.argv:
        parent = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(parent), sys.stdin)
    await work(chosen, url.get_secret_value(), parent=parent)


if __name__ == "__main__":
    asyncio.run(_run())
