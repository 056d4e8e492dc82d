"""What the commands share: settings, keys, the database they work on, and how they give up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from app import start
from app.embedded import EmbeddedError
from app.settings import Settings, settings

console = Console(highlight=False)


def chosen_settings() -> Settings:
    """The settings of this process; ends it with a sentence when they are none."""
    try:
        return settings()
    except ValidationError as error:
        fail("; ".join(f"SIMPUL_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()))


@contextmanager
def own_database(chosen: Settings) -> Iterator[str]:
    """The database of the settings, or the embedded one, running or started for as long as the block lasts."""
    try:
        with start.running_or_own(chosen) as url:
            yield url
    except (EmbeddedError, start.StartRefused) as error:
        fail(str(error))


def address_of(host: str, port: int) -> str:
    """Where the service is, as one writes it into a browser."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def fail(sentence: str, *, code: int = 1) -> NoReturn:
    """End the command with a sentence."""
    Console(stderr=True, highlight=False).print(sentence, style="bold red", markup=False)
    raise typer.Exit(code)
