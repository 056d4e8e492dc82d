"""The commands that keep the database: its schema, its registry, a way in for operators."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app import start
from app.break_glass import act
from app.db import Database, encode
from app.rules.vocabulary import Role
from app.schemas.clients import ClientInput
from app.services import client_moves
from app.terminal import chosen_settings, console, own_database


def migrate() -> None:
    """Bring the schema to its newest revision."""
    chosen = chosen_settings()
    with own_database(chosen) as url:
        asyncio.run(start.migrate(url))
    console.print("The schema is at its newest revision.")


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


def operator() -> None:
    """Make one more operator and print its secret, for whoever lost the others."""
    wanted = ClientInput(role=Role.OPERATOR, purpose="Break glass")
    made = act(lambda writer, caller, keys: client_moves.create_client(writer, caller, keys, wanted))
    shown = ("agency", "client_id", "client_secret", "role")
    print(encode({name: made[name] for name in shown}).decode())
