"""Faults at each statement of a duty of the worker.

A round of a duty is a number of statements, from the first of its first transaction to the end of its last, COMMIT and
ROLLBACK among them; what it sends to webhooks counts as the statement `post`. `Faults` breaks the n-th of them in this
process; as a program this module breaks it in a process of its own, so that it can be killed or stopped there. Nothing
in the service knows of it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import make_url
from statements import intercepted

from app import logs
from app.db import Database
from app.deliverer import Deliverer
from app.outbound import Line
from app.services import sequencer
from app.settings import ROOT, Settings
from app.worker import repeat

#: What can happen to a statement: it fails; its backend ends before or after it; its process does.
FAULTS = ("raises", "backend ends before", "backend ends after", "killed before", "killed after")
#: Besides, the server may cancel one that it runs: no COMMIT of ours, and nothing that runs elsewhere.
CANCELLED = "cancelled"
POST, COMMIT = "post", "commit"
_CANCEL = "do $$ begin raise query_canceled; end $$"
Duty = Callable[[Database], Awaitable[Any]]


class Broken(RuntimeError):
    """What no code of ours expects."""


@dataclass
class Faults:
    """Count the statements of a database's connections, and do something to the n-th (from 1; none: only count)."""

    database: Database
    fault: str = ""
    at: int = 0
    seen: list[str] = field(default_factory=list)
    backends: set[int] = field(default_factory=set)

    @contextmanager
    def injected(self) -> Iterator[Faults]:
        engine = self.database.engine.sync_engine
        event.listen(engine, "commit", self._commit)
        event.listen(engine.pool, "reset", self._ended)
        sent = Line.post

        async def post(line: Line, headers: dict[str, str], body: bytes) -> int:
            self._begin(None, POST)
            answered = await sent(line, headers, body)
            self._end(None)
            return answered

        Line.post = post  # type: ignore[method-assign,assignment]
        try:
            with intercepted(self.database, self._before, self._end):
                yield self
        finally:
            Line.post = sent  # type: ignore[method-assign]
            event.remove(engine, "commit", self._commit)
            event.remove(engine.pool, "reset", self._ended)

    def _before(
        self, driver: asyncpg.Connection, statement: str, parameters: Sequence[Any]
    ) -> tuple[str, Sequence[Any]]:
        self._begin(driver, " ".join(statement.split()))
        return (_CANCEL, ()) if self.fault == CANCELLED and len(self.seen) == self.at else (statement, parameters)

    def _commit(self, connection: Any) -> None:
        self._begin(connection.connection.dbapi_connection.driver_connection, COMMIT)

    def _ended(self, dbapi: Any, *_: Any) -> None:
        if self.seen and self.seen[-1] == COMMIT:
            self._end(dbapi.driver_connection)

    def _begin(self, driver: asyncpg.Connection | None, statement: str) -> None:
        self.seen.append(statement)
        if driver is not None:
            self.backends.add(driver.get_server_pid())
        if len(self.seen) == self.at and not self.fault.endswith("after"):
            self._strike(driver)

    def _end(self, driver: asyncpg.Connection | None) -> None:
        if len(self.seen) == self.at and self.fault.endswith("after"):
            self._strike(driver)
            self.at = 0

    def _strike(self, driver: asyncpg.Connection | None) -> None:
        match self.fault.split()[0]:
            case "raises":
                raise Broken
            case "backend" if driver is None:
                for pid in self.backends:  # whichever it would use next
                    end_backend(self.database, pid)
            case "backend" if driver is not None:
                end_backend(self.database, driver.get_server_pid())
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)


def end_backend(database: Database, pid: int) -> None:
    """Terminate a backend and wait until it has gone, from outside of the loop that uses it."""

    async def end() -> None:
        other = await asyncpg.connect(
            make_url(database.engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
        )
        await other.execute("select pg_terminate_backend($1, 5000)", pid)
        await other.close()

    thread = Thread(target=lambda: asyncio.run(end()))
    thread.start()
    thread.join()


class Program:
    """This module as a process that does rounds in children of its own."""

    def __init__(self, url: str, settings: Settings) -> None:
        said = {name: getattr(settings, name) for name in settings.model_fields_set if name.startswith("webhook_")}
        environment = {**os.environ, **{f"SIMPUL_{name.upper()}": str(held) for name, held in said.items()}}
        self.process = subprocess.Popen(
            [sys.executable, __file__, url, str(settings.var)], cwd=ROOT, env={**environment, "PYTHONPATH": "tests:."},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def order(self, duty: str, fault: str = "", at: int = 0, *, rounds: int = 1, then: float = 0.3) -> int:
        """Have rounds done; the pid of who does them."""
        assert self.process.stdin is not None
        said = {"duty": duty, "fault": fault, "at": at, "rounds": rounds, "then": then}
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def ended(self) -> int:
        """How it ended: 0, or minus the signal."""
        return self._answer()

    def _answer(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


# as a program: `python faulty.py URL VAR`, and then one line of JSON for each round: {duty, fault, at, rounds, then}


async def sequenced(database: Database) -> None:
    """A round of the log that signs a head whenever the tree grew."""
    async with database.working() as writer:
        await sequencer.sequence(writer, head_every=0)


async def delivered(database: Database) -> None:
    """A round of deliveries, and the end of who delivers."""
    deliverer = Deliverer(database)
    try:
        await deliverer.round()
        await deliverer.settle()
    finally:
        await deliverer.close()


def named(duty: str) -> Duty:
    module, _, name = duty.partition(":")
    found: Duty = getattr(importlib.import_module(module), name)
    return found


async def rounds(url: str, settings: Settings, order: dict[str, Any]) -> None:
    """Some rounds of a duty, looked after as the worker does it."""
    database = Database(url, settings)
    duty, left = named(order["duty"]), asyncio.Semaphore(order["rounds"])

    async def one() -> None:
        await left.acquire()
        await duty(database)

    with Faults(database, order["fault"], order["at"]).injected():
        duties = asyncio.create_task(repeat(one, 0.05))
        while not left.locked():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.sleep(order["then"])
        duties.cancel()
    await database.close()


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main(url: str, var: str) -> None:
    """Fork for each order; answer with the pid, and then with how the child ended."""
    settings = Settings(var=Path(var))
    logs.configure()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            asyncio.run(rounds(url, settings, order))
            os._exit(0)
        _tell(child)
        _, status = os.waitpid(child, 0)
        _tell(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:3])
