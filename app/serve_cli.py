"""The command that starts everything."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from app import logs, serving, start
from app.db import Database
from app.embedded import AlreadyRunning, EmbeddedError
from app.kept import api, kept, worker
from app.services.signing import RingRefused
from app.serving import GRACE
from app.settings import Settings
from app.start import StartRefused
from app.terminal import address_of, chosen_settings, console, fail


def serve() -> None:
    """Start everything: PostgreSQL if none is configured, migrations, data, worker, API."""
    chosen = chosen_settings()
    logs.configure()
    signal.signal(signal.SIGTERM, _stop)
    try:
        with _socket(chosen) as bound, start.doors(chosen) as logins:
            made = asyncio.run(_prepare(chosen, logins))
            with kept(worker(logins.worker), grace=GRACE):
                _welcome(chosen, bound.getsockname()[1], made)
                _answer(chosen, logins.api, bound)
    except KeyboardInterrupt:
        return  # Ctrl-C is how one stops it
    except AlreadyRunning as error:
        fail(f"Simpul is already running in this folder. {error}")
    except (EmbeddedError, RingRefused, StartRefused) as error:
        fail(str(error))


def _answer(chosen: Settings, url: str, bound: socket.socket) -> None:
    """Serve the API until we are stopped: here, or as so many processes beside us on that port."""
    if chosen.workers == 1:
        serving.server(chosen, url).run(sockets=[bound])
        return
    port = bound.getsockname()[1]
    bound.close()  # it was ours alone, so nobody else serves there
    with (
        serving.bind_beside(chosen.host, port),
        kept(*(api(url, port) for _ in range(chosen.workers)), grace=GRACE + 1),
    ):
        Event().wait()


def _stop(*_: object) -> NoReturn:
    """Leave by the front door: what was started here is stopped on the way."""
    raise typer.Exit


@contextmanager
def _socket(chosen: Settings) -> Iterator[socket.socket]:
    """The port, taken before anything else is done."""
    try:
        bound = serving.bind(chosen.host, chosen.port)
    except OSError as error:
        fail(
            f"{chosen.host}:{chosen.port} can't be used ({error.strerror}). Is Simpul already running there?"
            " Choose another port with SIMPUL_PORT."
        )
    try:
        yield bound
    finally:
        bound.close()


async def _prepare(chosen: Settings, logins: start.Logins) -> list[dict[str, Any]]:
    await start.migrate(logins.owner)
    await start.require_walls(logins.api, chosen)
    database = Database(logins.owner, chosen)
    try:
        await start.load_if_new(database, console, with_register=chosen.register_on_start)
        await start.signing_ring(database, database.keys, chosen.var / "keys")
        return await start.first_clients(database, database.keys, chosen.var)
    finally:
        await database.close()


def _welcome(chosen: Settings, port: int, made: list[dict[str, Any]]) -> None:
    """Print the clients, one curl that works as pasted, and where the docs are; no secrets in production."""
    address = address_of(chosen.host, port)
    if made and chosen.env == "production":
        print(
            f"The clients of the first run are in {chosen.var / start.CREDENTIALS}: hand them over, and move it away."
        )
    elif made:
        _show_clients(chosen, address, made)
    else:
        print(
            "This database has clients already; `.venv/bin/python -m app.cli operator`"
            " makes one for whoever lost theirs."
        )
    print(f"Docs: {address}/docs   Problems: {address}/problems   Stop: Ctrl-C", flush=True)


def _show_clients(chosen: Settings, address: str, made: list[dict[str, Any]]) -> None:
    table = Table("agency", "role", "client_id", "client_secret", title="Clients of the first run")
    for one in made:
        table.add_row(one["agency"] or "(operator)", one["role"], one["client_id"], one["client_secret"])
    Console(width=180, highlight=False).print(table)
    first = made[0]
    print(f"\nKept in {chosen.var / start.CREDENTIALS} (mode 0600). Paste this as it is:\n")
    print(
        f'curl -s {address}/v1/tasks -H "Authorization: Bearer $(curl -s {address}/oauth2/token'
        f" -d grant_type=client_credentials -d client_id={first['client_id']}"
        f' -d client_secret={first["client_secret"]} | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')"\n'
    )
