"""Imports go downhill only; the contracts themselves stand in pyproject.toml."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from app.settings import ROOT

MODULES = sorted((ROOT / "app").rglob("*.py"))
PURE = [ROOT / "app" / "errors.py", *sorted((ROOT / "app" / "rules").glob("*.py"))]
LOG = ROOT / "app" / "services" / "log.py"
#: Who may read facts: each asks `visibility` what may be told, or places them without looking at what they say.
READERS = {"log", "sequencer", "feed", "log_reads", "log_export", "retirement", "webhook_feed"}


def shown(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


def imported(module: Path) -> set[str]:
    """Every module that this one names in an import, wherever it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return names


def test_imports_go_downhill_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


@pytest.mark.parametrize("module", PURE, ids=shown)
def test_the_law_needs_the_standard_library_only(module: Path) -> None:
    outside = {name for name in imported(module) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert [name for name in sorted(outside) if not re.match(r"app(\.rules|\.errors|$)", name)] == []


def touching(verbs: str) -> set[Path]:
    """The modules whose SQL does one of these things with the event table."""
    sql = re.compile(rf"\b({verbs})\s+\"?event\b", re.IGNORECASE)
    return {one for one in MODULES if one.parent.name != "models" and sql.search(one.read_text())}


def test_only_the_log_enters_facts() -> None:
    entering = touching("into|update|table|delete from") | {
        one for one in MODULES if "app.models.event" in imported(one)
    }
    assert {one for one in entering if one.parent.name != "models"} == {LOG}


def test_only_what_tells_of_the_log_reads_the_event_table() -> None:
    assert {one.stem for one in touching("from|join")} <= READERS
    assert {one.parent for one in touching("from|join")} == {LOG.parent}


def test_only_security_imports_jose() -> None:
    assert {shown(one) for one in MODULES if any(name.startswith("jose") for name in imported(one))} == {
        "app/security.py"
    }


def test_handlers_are_short() -> None:
    """A handler says who asks, what comes in, what goes out: one to three lines."""
    # `meta` and `oauth` are no resources: documentation, and what the RFCs prescribe.
    modules = [one for one in (ROOT / "app" / "routers").glob("[!_]*.py") if one.stem not in {"meta", "oauth"}]
    handlers = [
        (f"{one.stem}.{node.name}", len(node.body) - 1)
        for one in modules
        for node in ast.parse(one.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert len(handlers) > 50
    assert [name for name, statements in handlers if statements > 3] == []
