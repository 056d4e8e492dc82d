"""`simpul log`: the log as evidence. To verify its files takes neither a database nor settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app import log_files
from app.break_glass import Json
from app.db import encode
from app.log_acts import erase, resume, retire, rotate_key, set_aside
from app.log_export import export_log
from app.log_files import Unreadable
from app.terminal import console, fail
from app.testimony import Kept, Report
from app.verifying import verify
from app.witness_cli import show_public_key, watch_log

app = typer.Typer(no_args_is_help=True, help="The log as evidence: export it, verify it anywhere, witness it.")
app.command("export")(export_log)
app.command("witness")(watch_log)
app.command("public-key")(show_public_key)
app.command("rotate-key")(rotate_key)
app.command("resume")(resume)
app.command("erase")(erase)
app.command("set-aside")(set_aside)
app.command("retire")(retire)


@app.command("verify")
def verify_log(
    folder: Annotated[Path, typer.Argument(help="The folder of an export.")],
    *,
    head: Annotated[list[Path] | None, typer.Option(help="Heads you were given before; repeat it.")] = None,
    receipts: Annotated[list[Path] | None, typer.Option(help="Receipts you were given; repeat it.")] = None,
    keys: Annotated[Path | None, typer.Option(help="The log's keys (JWKS), fetched earlier.")] = None,
    witnesses: Annotated[int, typer.Option(min=1, help="Agencies that must have cosigned.")] = 3,
    accept_resumed: Annotated[
        list[int] | None, typer.Option(help="Accept the loss that this entry declares; repeat it.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="You fetched it yourself, and were not shown the documents of all.")
    ] = False,
    json: Json = False,
) -> None:
    """Check an export, offline, against itself and against what you kept.

    A head of yours that was lost is wrong even where the log says so: it tells who resumed it and why.

    Ends with 1 when something is wrong, with 2 when a file can't be read.
    """
    kept = Kept(tuple(head or ()), tuple(receipts or ()), keys, tuple(accept_resumed or ()), partial)
    try:
        with _progress(folder) as advance:
            report = verify(folder, kept, quorum=witnesses, advance=advance)
    except Unreadable as error:
        fail(str(error), code=2)
    if json:
        typer.echo(encode(asdict(report)).decode())
    else:
        _show(report, witnesses)
    raise typer.Exit(1 if report.findings else 0)


@contextmanager
def _progress(folder: Path) -> Iterator[Callable[[int], object]]:
    """A bar over the bytes of the entries, where a person is looking."""
    total = log_files.bytes_of(folder / log_files.ENTRIES)
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("Entries", total=total)
        yield lambda count: bar.advance(task, count)


def _show(report: Report, witnesses: int) -> None:
    sealed, witnessed = "none is sealed", f"none is witnessed by {witnesses} agencies"
    if report.newest is not None:
        sealed = (
            f"sealed up to entry {report.sealed:,}, {datetime.fromtimestamp(report.newest, UTC):%Y-%m-%d %H:%M} UTC"
        )
    if report.witnessed:
        witnessed = f"witnessed by {witnesses} agencies up to entry {report.witnessed:,}"
    table = Table("checked", "count", "found", title=f"The log {report.log}".strip())
    for checked, count, found in (
        ("entries", report.entries, f"{report.documents:,} with their document, {report.leaves:,} by their leaf alone"),
        ("heads", report.heads, sealed),
        ("cosignatures", report.cosignatures, witnessed),
        ("receipts", report.receipts, f"{len(report.pending):,} pending"),
    ):
        table.add_row(checked, f"{count:,}", found)
    console.print(table, markup=False)
    _say(f"Root of the entries: {report.root}")
    if report.retired:
        _say(f"The log declares {report.retired:,} facts retired: the export by which they left has their documents.")
    for sentence in report.warnings:
        _say(sentence, style="yellow")
    for sentence in report.pending:
        _say(sentence)
    for sentence in report.findings:
        _say(sentence, style="bold red")
    if not report.findings:
        _say("Nothing is wrong.", style="green")


def _say(sentence: str, *, style: str = "") -> None:
    console.print(sentence, style=style, markup=False, soft_wrap=True)
