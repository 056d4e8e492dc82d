"""`simpul clients`, `secrets`, `tokens`, `agencies`: access given and taken on the database itself (break glass).

The same services as over HTTP, asked by Simpul itself: every act stands in the log, without an agency.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import orjson
import typer

from app.break_glass import Json, Reason, Yes, act, checked, show, sure, tell_secret
from app.db import Writer
from app.rules.caller import Caller
from app.rules.vocabulary import Clearance, Role
from app.schemas.client_credentials import RotationInput
from app.schemas.clients import ClientInput
from app.security import Keys
from app.services import agencies, client_moves, client_rows, client_secrets, token_epochs

_CLIENT: Final = ("id", "agency", "role", "status", "purpose", "clearance", "version")
_SECRET: Final = ("id", "last_four", "recorded_at", "expires_at", "revoked_at", "last_used_at")
_KEY: Final = ("id", "kid", "thumbprint", "recorded_at", "expires_at", "revoked_at", "last_used_at")
_TOKENS: Final = ("tokens_of", "revoked_at")
_AGENCY: Final = ("code", "name_id", "suspended", "version")
Id = Annotated[UUID, typer.Argument(help="The client's id.", metavar="CLIENT")]
Code = Annotated[str, typer.Argument(help="The agency's code.", metavar="AGENCY")]


def _commands(said: str) -> typer.Typer:
    return typer.Typer(no_args_is_help=True, help=said)


clients: Final = _commands("Clients of agencies.")
secrets: Final = _commands("Secrets of clients.")
tokens: Final = _commands("Access tokens.")
of_agencies: Final = _commands("The access of whole agencies.")


# clients


@clients.command("list")
def list_clients(
    *, agency: Annotated[str | None, typer.Option(help="Those of one agency.")] = None, json: Json = False
) -> None:
    """List clients, newest first."""

    async def read(writer: Writer, caller: Caller, keys: Keys) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await client_rows.list_clients(writer, caller, keys, limit=200, cursor=cursor, agency=agency)
            found += orjson.loads(page.body)["items"]
            cursor = page.next_cursor
            if cursor is None:
                return found

    show(act(read), _CLIENT, as_json=json)


@clients.command("show")
def show_client(client: Id, *, json: Json = False) -> None:
    """Show a client with its secrets and keys."""
    found = act(lambda writer, caller, _: client_rows.show_client(writer, caller, client))
    show(found, _CLIENT, as_json=json)
    if not json:
        show(found["secrets"], _SECRET)
        show(found["keys"], _KEY)


@clients.command("create")
def create_client(
    role: Annotated[Role, typer.Option()],
    purpose: Annotated[str, typer.Option(help="What it is for.")],
    *,
    agency: Annotated[str | None, typer.Option(help="None for an operator.")] = None,
    contact: Annotated[str | None, typer.Option(help="Who answers for it.")] = None,
    clearance: Annotated[Clearance, typer.Option()] = Clearance.TERBATAS,
    network: Annotated[list[str] | None, typer.Option(help="From where it may be used (CIDR); repeat it.")] = None,
    origin: Annotated[list[str] | None, typer.Option(help="Origin of its pages; repeat it.")] = None,
    token_minutes: Annotated[int | None, typer.Option(help="Longest life of its tokens.")] = None,
    json: Json = False,
) -> None:
    """Create a client; its secret is printed this once."""
    said = {
        "role": role,
        "purpose": purpose,
        "agency": agency,
        "contact": contact,
        "clearance": clearance,
        "networks": network or [],
        "origins": origin or [],
        "token_minutes": token_minutes,
    }
    wanted = checked(ClientInput.model_validate, said)
    made = act(lambda writer, caller, keys: client_moves.create_client(writer, caller, keys, wanted))
    show(made, _CLIENT, as_json=json)
    tell_secret(made, as_json=json)


_CLIENT_MOVES: Final = {
    "suspend": client_moves.suspend,
    "reinstate": client_moves.reinstate,
    "revoke": client_moves.revoke,
}


def _move(action: str, client: UUID, reason: str, *, as_json: bool) -> None:
    async def move(writer: Writer, caller: Caller, _: Keys) -> dict[str, Any]:
        version = (await client_rows.show_client(writer, caller, client))["version"]
        return await _CLIENT_MOVES[action](writer, caller, client, version, reason)

    show(act(move), _CLIENT, as_json=as_json)


@clients.command("suspend")
def suspend_client(client: Id, reason: Reason, *, json: Json = False) -> None:
    """Shut a client out from its next request on, until it is reinstated."""
    _move("suspend", client, reason, as_json=json)


@clients.command("reinstate")
def reinstate_client(client: Id, reason: Reason, *, json: Json = False) -> None:
    """Let a suspended client in again; tokens of before stay dead."""
    _move("reinstate", client, reason, as_json=json)


@clients.command("revoke")
def revoke_client(client: Id, reason: Reason, *, yes: Yes = False, json: Json = False) -> None:
    """End a client for good, with its secrets, keys and tokens."""
    sure(f"End client {client} for good, with its secrets, keys and tokens?", yes=yes)
    _move("revoke", client, reason, as_json=json)


# secrets


@secrets.command("list")
def list_secrets(client: Id, *, json: Json = False) -> None:
    """List all secrets that a client ever had."""
    found = act(lambda writer, caller, _: client_secrets.list_secrets(writer, caller, client))
    show(found, _SECRET, as_json=json)


@secrets.command("rotate")
def rotate_secret(
    client: Id,
    *,
    overlap_days: Annotated[int, typer.Option(help="How long the old one still works; 0 for a compromise.")] = 7,
    expires_at: Annotated[str | None, typer.Option(help="When the new one ends (RFC 3339).")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it stands in the log.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Give a client a new secret, printed this once, and let the old one end after the overlap."""
    if overlap_days == 0:
        sure(f"End every secret that client {client} has now, and the tokens fetched with them?", yes=yes)
    said = {"overlap_days": overlap_days, "expires_at": expires_at, "reason": reason}
    wanted = checked(RotationInput.model_validate, said)
    made = act(lambda writer, caller, keys: client_secrets.rotate(writer, caller, keys, client, wanted))
    show(made, _SECRET, as_json=json)
    tell_secret(made, as_json=json)


@secrets.command("revoke")
def revoke_secret(
    client: Id,
    secret: Annotated[UUID, typer.Argument(help="The secret's id.")],
    reason: Reason,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """End a secret now, and the tokens fetched with it."""
    sure(f"End secret {secret} and the tokens fetched with it?", yes=yes)
    ended = act(lambda writer, caller, _: client_secrets.revoke(writer, caller, client, secret, reason))
    show(ended, _SECRET, as_json=json)


# tokens and agencies


@tokens.command("revoke")
def revoke_tokens(
    reason: Reason,
    *,
    client: Annotated[UUID | None, typer.Option(help="Those of one client; without it ALL there are.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """End all tokens of a client, or of everybody; new ones may be fetched."""
    sure(f"End all tokens of {client or 'EVERYBODY'}?", yes=yes)

    async def end(writer: Writer, caller: Caller, _: Keys) -> dict[str, Any]:
        if client is None:
            return await token_epochs.revoke_all(writer, caller, reason)
        return await token_epochs.revoke_of_client(writer, caller, client, reason)

    show(act(end), _TOKENS, as_json=json)


_AGENCY_MOVES: Final = {"suspend": agencies.suspend_agency, "reinstate": agencies.reinstate_agency}


def _move_agency(action: str, code: str, reason: str, *, as_json: bool) -> None:
    async def move(writer: Writer, caller: Caller, _: Keys) -> dict[str, Any]:
        version = (await agencies.show_agency(writer, code))["version"]
        return await _AGENCY_MOVES[action](writer, caller, code, version, reason)

    show(act(move), _AGENCY, as_json=as_json)


@of_agencies.command("suspend")
def suspend_agency(code: Code, reason: Reason, *, yes: Yes = False, json: Json = False) -> None:
    """Shut out all clients of an agency from their next request on, until it is reinstated."""
    sure(f"Shut out every client of {code}?", yes=yes)
    _move_agency("suspend", code, reason, as_json=json)


@of_agencies.command("reinstate")
def reinstate_agency(code: Code, reason: Reason, *, json: Json = False) -> None:
    """Let a suspended agency in again; tokens of before stay dead."""
    _move_agency("reinstate", code, reason, as_json=json)
