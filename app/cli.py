"""`simpul`: serve, migrate, load, demo, openapi; clients, secrets, tokens, agencies."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

#: Each command, and where it is: only what is asked for is loaded, for `serve` keeps in memory what it has loaded.
_FOUND: Final[Mapping[str, str]] = {
    "matrix": "app.matrix_cli:save_matrix",
    "simulate": "app.simulate_cli:simulate",
    "serve": "app.serve_cli:serve",
    "migrate": "app.upkeep_cli:migrate",
    "load": "app.upkeep_cli:load",
    "operator": "app.upkeep_cli:operator",
    "demo": "app.demo_cli:demo",
    "openapi": "app.documents_cli:openapi",
    "readme": "app.documents_cli:readme",
    "keys": "app.keys_cli:app",
    "log": "app.log_cli:app",
    "clients": "app.access_cli:clients",
    "secrets": "app.access_cli:secrets",
    "tokens": "app.access_cli:tokens",
    "agencies": "app.access_cli:of_agencies",
}


class Commands(TyperGroup):
    """The commands, each loaded when it is asked for; all of them to show a list, or to suggest what may be meant."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as the framework calls it
        """Their names."""
        return [*_FOUND]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them, or None."""
        for name in [cmd_name] if cmd_name in _FOUND else _FOUND:
            if name not in self.commands:
                self.commands[name] = _loaded(name)
        return super().get_command(ctx, cmd_name)


def _loaded(name: str) -> Any:
    module, _, attribute = _FOUND[name].partition(":")
    found = getattr(import_module(module), attribute)
    alone = typer.Typer()
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return get_group(alone).commands[name]


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def simpul() -> None:
    """Simpul: coordination of election agencies."""


if __name__ == "__main__":
    app()
