"""`simpul`: serve, migrate, load, demo, openapi; clients, secrets, tokens, agencies."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from app import access_cli, documents, keys_cli, log_cli, logs, serving, start
from app.break_glass import act
from app.db import Database, encode
from app.demo import tell
from app.embedded import AlreadyRunning, EmbeddedError
from app.kept import api, kept, worker
from app.matrix_cli import save_matrix
from app.rules.vocabulary import Role
from app.schemas.clients import ClientInput
from app.services import client_moves
from app.services.signing import RingRefused
from app.serving import GRACE
from app.settings import ROOT, Settings
from app.simulate_cli import simulate
from app.start import StartRefused
from app.terminal import chosen_settings, console, fail, own_database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Simpul: coordination of election agencies.",
)
app.command("matrix")(save_matrix)
app.command("simulate")(simulate)
app.add_typer(keys_cli.app, name="keys")
app.add_typer(log_cli.app, name="log")
for name, commands in access_cli.COMMANDS.items():
    app.add_typer(commands, name=name)


@app.command()
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
    """Print the clients, one curl that works as pasted, and where the docs are."""
    address = _address(chosen.host, port)
    if made:
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


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@app.command()
def migrate() -> None:
    """Bring the schema to its newest revision."""
    chosen = chosen_settings()
    with own_database(chosen) as url:
        asyncio.run(start.migrate(url))
    console.print("The schema is at its newest revision.")


@app.command()
def load(*, register: Annotated[bool, typer.Option(help="Load the Malang 2024 register as well.")] = True) -> None:
    """Load the registry from app/data; repeat it as often as you like."""
    chosen = chosen_settings()

    async def run(url: str) -> int:
        database = Database(url, chosen)
        try:
            await start.migrate(url)
            return await start.load(database, console, with_register=register)
        finally:
            await database.close()

    with own_database(chosen) as url:
        new = asyncio.run(run(url))
    console.print(f"The registry is loaded; {new} records of the register were new.")


@app.command()
def operator() -> None:
    """Make one more operator and print its secret, for whoever lost the others."""
    wanted = ClientInput(role=Role.OPERATOR, purpose="Break glass")
    made = act(lambda writer, caller, keys: client_moves.create_client(writer, caller, keys, wanted))
    shown = ("agency", "client_id", "client_secret", "role")
    print(encode({name: made[name] for name in shown}).decode())


@app.command()
def demo(url: Annotated[str, typer.Option(help="Where the service runs; default as configured.")] = "") -> None:
    """Tell a story over HTTP against the running service, step by step."""
    chosen = chosen_settings()
    path = chosen.var / start.CREDENTIALS
    if not path.exists():
        fail(f"There are no credentials at {path}: start the service with `make run` first.")
    clients = json.loads(path.read_text())
    failed = asyncio.run(tell(url or _address(chosen.host, chosen.port), clients, console))
    if failed:
        fail(failed)


@app.command()
def openapi(path: Annotated[Path, typer.Argument(help="Where to write it.")] = ROOT / "openapi/openapi.json") -> None:
    """Write the OpenAPI document."""
    documents.write_openapi(path)
    console.print(f"Wrote {path}.")


@app.command()
def readme(path: Annotated[Path, typer.Argument(help="Which file to renew.")] = ROOT / "README.md") -> None:
    """Renew what is generated from the rules: the README's diagram and tables, the pages of the policy."""
    documents.renew_readme(path)
    console.print(f"Renewed {path}.")
    documents.write_policy(ROOT / "openapi")
    console.print("Renewed the pages of the policy in openapi/.")


if __name__ == "__main__":
    app()
