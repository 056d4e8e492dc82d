"""The schema brought to a revision, by the tool that knows the migrations."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from app.settings import ROOT


def bring(connection: Connection, revision: str) -> None:
    """Bring the schema forward to a revision."""
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
