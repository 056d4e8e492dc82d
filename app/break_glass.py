"""What the commands that act on the database share: one act in one transaction, questions, tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.table import Column, Table

from app.db import Database, Writer, encode
from app.errors import Problem
from app.outages import problem_of
from app.rules.caller import Caller, itself
from app.security import Keys
from app.services.signing import RingRefused
from app.terminal import chosen_settings, console, fail, own_database

Answer = TypeVar("Answer")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.", prompt=True)]


def act(deed: Callable[[Writer, Caller, Keys], Awaitable[Answer]]) -> Answer:
    """Do one thing in one transaction; a refusal ends the command with its sentences."""

    async def in_one(database: Database) -> Answer:
        async with database.working() as writer:
            return await deed(writer, itself("cli"), database.keys)

    return on_database(in_one)


def on_database(deed: Callable[[Database], Awaitable[Answer]]) -> Answer:
    """Do something that takes transactions of its own; a refusal ends the command with its sentences."""
    chosen = chosen_settings()

    async def run(url: str) -> Answer:
        database = Database(url, chosen)
        try:
            return await deed(database)
        finally:
            await database.close()

    try:
        with own_database(chosen) as url:
            return asyncio.run(run(url))
    except RingRefused as error:
        fail(str(error))
    except Exception as error:
        refused = error if isinstance(error, Problem) else problem_of(error)
        if refused is None:
            raise
        said = refused.document(language="en", instance="", request_id="cli")
        faults = "".join(f"\n  {one.pointer}: {one.en}" for one in refused.errors)
        fail(f"{said['title']}: {said['detail']}{faults}")


def checked(read: Callable[[dict[str, Any]], Answer], said: dict[str, Any]) -> Answer:
    """What was said, as a schema reads it; anything wrong with it ends the command with a sentence each."""
    try:
        return read(said)
    except ValidationError as error:
        fail("\n".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()))


def sure(question: str, *, yes: bool) -> None:
    """Ask before what can't be undone."""
    if not yes:
        typer.confirm(f"{question} This can't be undone.", abort=True, err=True)


def show(found: dict[str, Any] | list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool = False) -> None:
    """Print records as a table for people or as JSON for programs."""
    if as_json:
        typer.echo(encode(found).decode())
        return
    table = Table(*(Column(name, no_wrap=name in {"id", "kid"}) for name in columns))  # an id must be there to copy
    for one in found if isinstance(found, list) else [found]:
        table.add_row(*(_cell(one[name]) for name in columns))
    console.print(table)


def _cell(content: Any) -> str:
    if isinstance(content, datetime):
        return f"{content:%Y-%m-%d %H:%M:%S}"
    return "" if content is None else str(content)


def tell_secret(made: dict[str, Any], *, as_json: bool) -> None:
    """Print a new secret where it can be copied whole: a table would fold it."""
    if not as_json:
        typer.echo(f"client_id={made['client_id']}\nclient_secret={made['client_secret']}")
