"""How whoever runs a command over HTTP says who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.calling import Login, read_key
from app.terminal import fail

Url = Annotated[str, typer.Option(help="Where the service is.")]
ClientId = Annotated[str, typer.Option(help="Your agency's client.")]
SecretFile = Annotated[Path | None, typer.Option(help="A file with the client's secret.")]
Key = Annotated[Path | None, typer.Option(help="Or its private key (PEM), instead of a secret.")]
KeyKid = Annotated[str | None, typer.Option(help="Its kid; default the thumbprint.")]


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
