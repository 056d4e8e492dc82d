"""The command that tells the stories."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from app import start
from app.demo import tell
from app.terminal import address_of, chosen_settings, console, fail


def demo(url: Annotated[str, typer.Option(help="Where the service runs; default as configured.")] = "") -> None:
    """Tell a story over HTTP against the running service, step by step."""
    chosen = chosen_settings()
    path = chosen.var / start.CREDENTIALS
    if not path.exists():
        fail(f"There are no credentials at {path}: start the service with `make run` first.")
    clients = json.loads(path.read_text())
    failed = asyncio.run(tell(url or address_of(chosen.host, chosen.port), clients, console))
    if failed:
        fail(failed)
