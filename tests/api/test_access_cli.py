"""Break glass: access given and taken from the command line, on the database that the service runs on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from support import Agency, SignIn
from typer.testing import CliRunner, Result
from words import facts_of

from app import cli
from app.db import Database
from app.settings import Settings
from app.settings import settings as read_settings

KPU = "KPU_KOTA_MALANG"
WHY = ("--reason", "Kebocoran")
Simpul = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[Result]]:
    """Run a command against the database of the tests, as somebody at the machine would."""
    monkeypatch.setenv("SIMPUL_DATABASE_URL", url)
    monkeypatch.setenv("SIMPUL_VAR", str(settings.var))
    monkeypatch.setenv("COLUMNS", "300")

    async def call(*words: str, answer: str | None = None) -> Result:
        read_settings.cache_clear()
        try:
            return await asyncio.to_thread(CliRunner().invoke, cli.app, words, answer)
        finally:
            read_settings.cache_clear()

    return call


@pytest.fixture
def simpul(call: Callable[..., Awaitable[Result]]) -> Simpul:
    """What a command prints as JSON."""

    async def simpul(*words: str) -> Any:
        result = await call(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return simpul


async def status(client: Agency) -> int:
    return (await client.get("/v1/me")).status_code


async def acts(database: Database, id: str) -> list[tuple[Any, ...]]:
    shown = ("kind", "agency", "client_id", "request_id")
    found = await facts_of(database, "e.object_id = :id", id=id)
    return [(*(one[name] for name in shown), one["payload"].get("reason")) for one in found]


async def test_a_client_lives_its_whole_life_from_the_command_line(
    simpul: Simpul, operator: Agency, database: Database
) -> None:
    said = ("--agency", KPU, "--role", "officer", "--purpose", "Dasbor", "--origin", "https://a.go.id")
    made = await simpul("clients", "create", *said, "--token-minutes", "5", "--network", "127.0.0.0/8")
    client = await Agency(operator.http, made).sign_in()
    assert await status(client) == 200
    own = made["id"]
    assert (await simpul("clients", "show", own))["origins"] == ["https://a.go.id"]
    assert own in {one["id"] for one in await simpul("clients", "list", "--agency", KPU)}
    assert (await simpul("clients", "suspend", own, *WHY))["status"] == "suspended"
    assert await status(client) == 401
    assert (await simpul("clients", "reinstate", own, *WHY))["status"] == "active"
    rotated = await simpul("secrets", "rotate", own, "--overlap-days", "0", "--yes")
    newest = await Agency(operator.http, {**made, **rotated}).sign_in()
    assert await status(newest) == 200
    assert (await simpul("tokens", "revoke", "--client", own, *WHY, "--yes"))["tokens_of"] == own
    assert await status(newest) == 401
    await newest.sign_in()
    assert (await simpul("secrets", "revoke", own, rotated["id"], *WHY, "--yes"))["revoked_at"]
    assert await status(newest) == 401
    assert [one["revoked_at"] is None for one in await simpul("secrets", "list", own)] == [False, False]
    assert (await simpul("clients", "revoke", own, *WHY, "--yes"))["status"] == "revoked"
    kinds = [kind for kind, *who in await acts(database, own) if who[:3] == [None, None, "cli"]]
    assert kinds == [
        "client.created",
        "client.suspended",
        "client.reinstated",
        "secret.rotated",
        "tokens.revoked",
        "secret.revoked",
        "client.revoked",
    ]


async def test_whoever_lost_every_operator_gets_one_more_and_the_log_knows(
    call: Callable[..., Awaitable[Result]], operator: Agency, database: Database
) -> None:
    made = json.loads((await call("operator")).stdout)
    assert made.keys() == {"agency", "client_id", "client_secret", "role"}
    assert (made["agency"], made["role"]) == (None, "operator")
    assert await status(await Agency(operator.http, made).sign_in()) == 200
    assert await acts(database, made["client_id"]) == [("client.created", None, None, "cli", None)]


async def test_the_clients_of_the_first_run_stand_in_the_log(operator: Agency, database: Database) -> None:
    first = await acts(database, str(operator.credentials["client_id"]))
    assert first[:1] == [("client.created", None, None, "start", None)]


async def test_an_agency_is_shut_out_and_let_in_again(simpul: Simpul, client_of: SignIn, database: Database) -> None:
    client = await client_of("SATPOLPP_KOTA_MALANG", "viewer")
    assert (await simpul("agencies", "suspend", client.code, *WHY, "--yes"))["suspended"] is True
    assert await status(client) == 403
    assert (await simpul("agencies", "reinstate", client.code, *WHY))["suspended"] is False
    assert await status(client) == 401
    assert await status(await client.sign_in()) == 200
    assert await acts(database, client.code) == [
        ("agency.suspended", None, None, "cli", "Kebocoran"),
        ("agency.reinstated", None, None, "cli", "Kebocoran"),
    ]


@pytest.mark.parametrize("how", ["clients revoke", "secrets revoke", "secrets rotate", "tokens revoke"])
async def test_what_cannot_be_undone_is_asked_first_and_a_no_changes_nothing(
    call: Callable[..., Awaitable[Result]], client_of: SignIn, how: str
) -> None:
    client = await client_of(KPU, "viewer")
    own, secret = client.credentials["id"], client.credentials["secrets"][0]["id"]
    more = {
        "clients revoke": (own, *WHY),
        "secrets revoke": (own, secret, *WHY),
        "secrets rotate": (own, "--overlap-days", "0"),
        "tokens revoke": ("--client", own, *WHY),
    }
    result = await call(*how.split(), *more[how], answer="n\n")
    assert result.exit_code == 1
    assert "This can't be undone." in result.output
    assert await status(client) == 200
    assert await status(await client.sign_in()) == 200
    result = await call(*how.split(), *more[how], answer="y\n")
    assert result.exit_code == 0, result.output
    assert await status(client) == 401


async def test_a_database_out_of_reach_is_a_sentence_too(
    call: Callable[..., Awaitable[Result]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMPUL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = await call("clients", "list")
    assert (result.exit_code, "Temporarily unavailable" in result.stderr) == (1, True)


async def test_people_read_tables_and_a_new_secret_whole(
    call: Callable[..., Awaitable[Result]], operator: Agency
) -> None:
    made = await call("clients", "create", "--agency", KPU, "--role", "viewer", "--purpose", "Dasbor")
    assert made.exit_code == 0, made.output
    lines = dict(line.split("=", 1) for line in made.stdout.splitlines() if "=" in line)
    assert await status(await Agency(operator.http, {**lines, "agency": KPU}).sign_in()) == 200
    shown = await call("clients", "show", lines["client_id"])
    assert lines["client_id"] in shown.stdout
    assert lines["client_secret"][-4:] in shown.stdout
    assert lines["client_secret"] not in shown.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("clients", "show", str(uuid4())), "Not found"),
        (("clients", "create", "--role", "viewer", "--purpose", "-"), "/agency: Operators, and only they"),
        (("clients", "create", "--role", "viewer", "--purpose", "-", "--agency", KPU, "--origin", "x"), "origins.0"),
        (("agencies", "reinstate", "KPU_RI", *WHY), "Transition not allowed"),
    ],
)
async def test_a_refusal_is_a_sentence_and_no_traceback(
    call: Callable[..., Awaitable[Result]], words: tuple[str, ...], sentence: str
) -> None:
    result = await call(*words)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.output
