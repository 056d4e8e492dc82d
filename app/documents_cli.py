"""The commands that write what is generated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app import documents
from app.openapi import KEPT
from app.settings import ROOT
from app.terminal import console


def openapi(path: Annotated[Path, typer.Argument(help="Where to write it.")] = KEPT) -> None:
    """Write the OpenAPI document."""
    documents.write_openapi(path)
    console.print(f"Wrote {path}.")


def readme(path: Annotated[Path, typer.Argument(help="Which file to renew.")] = ROOT / "README.md") -> None:
    """Renew what is generated from the rules: the README's diagram and tables, the pages of the policy."""
    documents.renew_readme(path)
    console.print(f"Renewed {path}.")
    documents.write_policy(ROOT / "openapi")
    console.print("Renewed the pages of the policy in openapi/.")
