"""`simpul keys`: the signing ring, seen and turned directly on the database (break glass)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from app.break_glass import act
from app.db import Row, Writer, encode
from app.rules.caller import Caller
from app.security import Keys
from app.services import signing
from app.services.signing import RingRefused
from app.terminal import fail

app = typer.Typer(no_args_is_help=True, help="The keys that sign access tokens: next, active, passive, dead.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Answer = TypeVar("Answer")
_INSTANTS: Final = ("recorded_at", "activated_at", "retired_at")


@app.command("list")
def list_keys(*, json: Json = False) -> None:
    """Show every key there was, with its state."""
    _show(_run(lambda writer, *_: signing.list_ring(writer)), as_json=json)


@app.command()
def rotate(*, json: Json = False) -> None:
    """Let the next key sign, the active one only verify, and publish a new next key. No request fails for it."""

    async def turn(writer: Writer, by: Caller, keys: Keys) -> list[Row]:
        await signing.rotate(writer, keys, by=by)
        return await signing.list_ring(writer)

    _show(_run(turn), as_json=json)


@app.command()
def retire(*, json: Json = False) -> None:
    """End passive keys whose last token has ended; the worker does it by itself."""

    async def end(writer: Writer, *_: object) -> list[Row]:
        await signing.retire(writer)
        return await signing.list_ring(writer)

    _show(_run(end), as_json=json)


@app.command()
def kill(
    kid: Annotated[str, typer.Argument(help="The compromised key.")], *, yes: Yes = False, json: Json = False
) -> None:
    """End a compromised key at once, and every access token there is: clients must fetch new ones."""
    if not yes:
        typer.confirm(f"End {kid} and ALL access tokens of ALL agencies? This can't be undone", abort=True, err=True)

    async def end(writer: Writer, by: Caller, keys: Keys) -> list[Row]:
        await signing.kill(writer, keys, kid, by=by)
        return await signing.list_ring(writer)

    _show(_run(end), as_json=json)


def _run(deed: Callable[[Writer, Caller, Keys], Awaitable[Answer]]) -> Answer:
    try:
        return act(deed)
    except RingRefused as refused:
        fail(str(refused))


def _show(ring: list[Row], *, as_json: bool) -> None:
    if as_json:
        typer.echo(encode(ring).decode())
        return
    table = Table("kid", "state", "published", "signed from", "until")
    for one in ring:
        table.add_row(one["kid"], one["state"], *(_instant(one[name]) for name in _INSTANTS))
    Console(width=120, highlight=False).print(table)


def _instant(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""
