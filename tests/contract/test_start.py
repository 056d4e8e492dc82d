"""What keeps a start short and a process small: what it does not load, does not build, and does not leave lying."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import httpx
from alembic.config import Config
from alembic.script import ScriptDirectory
from typer.testing import CliRunner

from app import cli, start
from app.main import create_app
from app.openapi import KEPT
from app.settings import ROOT, Settings

#: Commands other than `serve`, documents, migrations, workbooks and calendars of all the world want these.
ELSEWHERE = {
    *("alembic", "mako", "httpx", "httpcore", "xlsxwriter", "holidays", "dateutil"),
    *("app.documents", "app.policy_page", "app.demo", "app.stories", "app.simulation", "app.migrating"),
    *("app.verifying", "app.testimony", "app.witness", "app.calling", "app.break_glass", "app.worker", "app.deliverer"),
}
LOADED = "import json, sys\nprint(json.dumps(sorted(sys.modules)))"
#: `simpul serve` without its server: all that it loads on a database at which nothing is left to do.
SERVING = f"""
import asyncio, os
from pathlib import Path
from app import cli, serve_cli, serving, start
from app.settings import Settings
asyncio.run(start.migrate(os.environ["GIVEN_URL"]))
serving.server(Settings(var=Path(os.environ["GIVEN_VAR"])), os.environ["GIVEN_URL"])
{LOADED}
"""
UNBUILT = """
import json
import app.main
from app.schemas.facts import Said
from app.schemas.types import Shown
from sqlmodel import SQLModel

def below(kind):
    return {one for sub in kind.__subclasses__() for one in (sub, *below(sub))}

named = below(Shown) | below(Said) | below(SQLModel)

built = [one.__name__ for one in named if one.__pydantic_complete__]
print(json.dumps({"named": len(named), "built": built}))
"""
LEFT = """
import gc, json
from app import heap
class Knot:
    alive = 0
    def __init__(self):
        Knot.alive += 1
        self.itself = self
    def __del__(self):
        Knot.alive -= 1
heap.settle()
most = 0
for _ in range(200_000):
    Knot()
    most = max(most, Knot.alive)
print(json.dumps({"most": most, "frozen": gc.get_freeze_count()}))
"""


def said_by(script: str, **given: str) -> Any:
    """What a process of its own prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_who_serves_loads_nothing_that_only_others_need(url: str, settings: Settings) -> None:
    loaded = said_by(SERVING, GIVEN_URL=url, GIVEN_VAR=str(settings.var))
    assert "app.main" in loaded
    assert [one for one in loaded if one in ELSEWHERE] == []
    assert all(find_spec(one) for one in ELSEWHERE)


def test_a_process_begins_without_building_what_only_documents_name() -> None:
    found = said_by(UNBUILT)
    assert found["named"] > 200
    assert found["built"] == []


async def test_who_serves_shows_the_document_that_is_kept_and_generates_none(url: str, settings: Settings) -> None:
    app = create_app(settings, url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
        assert (await http.get("/openapi.json")).content == KEPT.read_bytes()
        refused = await http.put("/v1/tasks")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")
    assert app.openapi.cache_info().misses == 0  # type: ignore[attr-defined]
    await app.state.database.close()


def test_what_was_left_lying_does_not_pile_up_once_a_process_has_settled() -> None:
    found = said_by(LEFT)
    assert found["frozen"] > 1_000
    assert found["most"] < 5_000


def test_the_newest_revision_is_that_of_the_last_migration_by_name() -> None:
    scripts = ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml"))
    assert start.newest() == scripts.get_current_head()


def test_every_command_is_found_and_one_that_is_misspelt_is_guessed() -> None:
    listed = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "200"})
    names = {line.split()[1] for line in listed.output.splitlines() if line.startswith("│ ") and line[2] != " "}
    assert names >= {"serve", "migrate", "load", "operator", "demo", "openapi", "readme", "matrix", "simulate"}
    assert names >= {"keys", "log", "clients", "secrets", "tokens", "agencies"}
    for name in names - {"--help"}:
        assert CliRunner().invoke(cli.app, [name, "--help"]).exit_code == 0, name
    guessed = CliRunner().invoke(cli.app, ["migrat"])
    assert guessed.exit_code == 2
    assert "Did you mean 'migrate'" in guessed.output
