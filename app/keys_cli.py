"""`simpul keys`: the signing ring, seen and turned directly on the database (break glass)."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from app.break_glass import Json, Yes, act, show, sure
from app.db import Row, Writer
from app.rules.caller import Caller
from app.security import Keys
from app.services import signing

app = typer.Typer(no_args_is_help=True, help="The keys that sign access tokens: next, active, passive, dead.")

_KEY: Final = ("kid", "state", "recorded_at", "activated_at", "retired_at")


@app.command("list")
def list_keys(*, json: Json = False) -> None:
    """Show every key there was, with its state."""
    show(act(lambda writer, *_: signing.list_ring(writer)), _KEY, as_json=json)


@app.command()
def rotate(*, json: Json = False) -> None:
    """Let the next key sign, the active one only verify, and publish a new next key. No request fails for it."""

    async def turn(writer: Writer, by: Caller, keys: Keys) -> list[Row]:
        await signing.rotate(writer, keys, by=by)
        return await signing.list_ring(writer)

    show(act(turn), _KEY, as_json=json)


@app.command()
def retire(*, json: Json = False) -> None:
    """End passive keys whose last token has ended; the worker does it by itself."""

    async def end(writer: Writer, by: Caller, _: Keys) -> list[Row]:
        await signing.retire(writer, by=by)
        return await signing.list_ring(writer)

    show(act(end), _KEY, as_json=json)


@app.command(context_settings={"ignore_unknown_options": True})  # a kid may begin with a hyphen
def kill(
    kid: Annotated[str, typer.Argument(help="The compromised key.")], *, yes: Yes = False, json: Json = False
) -> None:
    """End a compromised key at once, and every access token there is: clients must fetch new ones."""
    sure(f"End {kid} and ALL access tokens of ALL agencies?", yes=yes)

    async def end(writer: Writer, by: Caller, keys: Keys) -> list[Row]:
        await signing.kill(writer, keys, kid, by=by)
        return await signing.list_ring(writer)

    show(act(end), _KEY, as_json=json)
