"""What the commands share: settings, keys, the database they work on, and how they give up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from app import start
from app.calling import Login, read_key
from app.embedded import EmbeddedError
from app.settings import Settings, settings

console = Console(highlight=False)

Url = Annotated[str, typer.Option(help="Where the service is.")]
ClientId = Annotated[str, typer.Option(help="Your agency's client.")]
SecretFile = Annotated[Path | None, typer.Option(help="A file with the client's secret.")]
Key = Annotated[Path | None, typer.Option(help="Or its private key (PEM), instead of a secret.")]
KeyKid = Annotated[str | None, typer.Option(help="Its kid; default the thumbprint.")]


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


def login_of(client_id: str, secret_file: Path | None, key: Path | None, kid: str | None) -> Login:
    """How the client proves itself, as the options of a command say; ends it with a sentence when they don't."""
    if (secret_file is None) == (key is None):
        fail("Name either --client-secret-file or --key.", code=2)
    try:
        return Login(
            client_id,
            secret=secret_file.read_text().strip() if secret_file else None,
            key=read_key(key, kid) if key else None,
        )
    except (OSError, ValueError) as error:
        fail(str(error), code=2)


def fail(sentence: str, *, code: int = 1) -> NoReturn:
    """End the command with a sentence."""
    Console(stderr=True, highlight=False).print(sentence, style="bold red", markup=False)
    raise typer.Exit(code)
