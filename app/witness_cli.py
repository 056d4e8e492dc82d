"""`simpul log witness`: an agency's own eye on the log. Needs an address and a client, no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from app import witness
from app.break_glass import Json
from app.calling import PATIENCE, Login, Unreachable, read_key
from app.credentials_cli import ClientId, Key, KeyKid, SecretFile, Url, login_of
from app.db import encode
from app.memory import keep
from app.security import SigningKey
from app.terminal import console, fail
from app.witness import Rewritten, Seen, Untrusted, Witness


@dataclass(frozen=True)
class Watch:
    """What a witness does each time."""

    login: Login
    state: Path
    cosigner: SigningKey | None = None
    trusted: tuple[str, ...] = ()
    accepted: tuple[int, ...] = ()

    async def once(self, http: httpx.AsyncClient) -> Seen:
        """Look, cosign, and keep what was seen; raises ValueError, Unreachable, Untrusted, Rewritten."""
        before = witness.read_seen(self.state)
        eye = Witness(http, self.login, trusted=self.trusted, accepted=self.accepted)
        try:
            seen = await eye.look(before)
        except Rewritten as found:
            if before is not None:
                found.add_note(await eye.report(before.head))
            found.add_note(f"The proof is kept in {witness.alarm(self.state, found)}.")
            raise
        keep(self.state, witness.content_of(seen))
        if self.cosigner is not None:
            seen = await eye.cosign(seen, self.cosigner, agency=await eye.agency())
            keep(self.state, witness.content_of(seen))
        return seen


def show_public_key(
    path: Annotated[Path, typer.Argument(help="A private P-256 key (PEM).", metavar="KEY")],
    *,
    kid: Annotated[str | None, typer.Option(help="Its kid; default the thumbprint.")] = None,
) -> None:
    """Print the public half of a key as the body of POST /v1/clients/{id}/keys."""
    try:
        key = read_key(path, kid)
    except (OSError, ValueError) as error:
        fail(str(error), code=2)
    typer.echo(encode({"jwk": key.published()}).decode())


def watch_log(
    url: Url,
    client_id: ClientId,
    state: Annotated[Path, typer.Option(help="Where the last head and the log's keys are kept.")],
    *,
    client_secret_file: SecretFile = None,
    key: Key = None,
    key_kid: KeyKid = None,
    cosign_key: Annotated[Path | None, typer.Option(help="Cosign with this registered key (PEM).")] = None,
    cosign_kid: Annotated[str | None, typer.Option(help="Its kid; default the thumbprint.")] = None,
    every: Annotated[float | None, typer.Option(min=1, help="Look again every so many seconds, for ever.")] = None,
    trust: Annotated[list[str] | None, typer.Option(help="Pin a new key of the log, by its kid; repeat it.")] = None,
    accept_resumed: Annotated[
        list[int] | None, typer.Option(help="Accept the loss that this entry declares; repeat it.")
    ] = None,
    json: Json = False,
) -> None:
    """Watch that the log only grows: check each new head against the last one, keep it, and cosign it.

    Ends with 1 when the log was rewritten or is not the one that was pinned, with 2 when it can't be asked.
    """
    login = login_of(client_id, client_secret_file, key, key_kid)
    try:
        cosigner = read_key(cosign_key, cosign_kid) if cosign_key else None
    except (OSError, ValueError) as error:
        fail(str(error), code=2)
    watch = Watch(login, state, cosigner, tuple(trust or ()), tuple(accept_resumed or ()))
    try:
        asyncio.run(_watch(watch, url, every, lambda seen: _tell(seen, as_json=json)))
    except KeyboardInterrupt:
        return
    except Rewritten as found:
        fail("\n".join(["THE LOG WAS REWRITTEN.", str(found), *found.__notes__, _WHAT_NOW]))
    except Untrusted as error:
        fail(str(error))
    except (Unreachable, ValueError, OSError) as error:
        fail(str(error), code=2)


_WHAT_NOW: Final = "Both heads in it are signed by the log: show them to the other agencies, and do not cosign."


async def _watch(watch: Watch, url: str, every: float | None, tell: Callable[[Seen], None]) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        while True:
            try:
                tell(await watch.once(http))
            except Unreachable as error:
                if every is None:
                    raise
                console.print(f"{_now()} {error}", style="yellow", markup=False)
            if every is None:
                return
            await asyncio.sleep(every)


def _tell(seen: Seen, *, as_json: bool) -> None:
    if as_json:
        typer.echo(encode(witness.content_of(seen)).decode())
        return
    cosigned = f", cosigned up to {seen.cosigned:,}" if seen.cosigned else ""
    console.print(f"{_now()} {seen.log}: {seen.size:,} entries, one log since {seen.since}{cosigned}.", markup=False)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
