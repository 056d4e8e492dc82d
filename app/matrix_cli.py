"""`simpul matrix`: the follow-up matrix in a file, for whoever has an address and a client; no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

import httpx
import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from app import calling, download
from app.calling import Login, Service, Unreachable
from app.credentials_cli import ClientId, Key, KeyKid, SecretFile, Url, login_of
from app.download import Ask, Brought, Rows
from app.matrix import CSV, NDJSON, XLSX
from app.terminal import console, fail

Format = Literal["csv", "ndjson", "xlsx"]
#: Format -> media type, what counts its rows, how many stand above those of tasks.
_FORMATS: Final[dict[Format, tuple[str, Callable[[], Rows], int]]] = {
    "csv": (CSV, download.Records, 1),
    "ndjson": (NDJSON, download.Lines, 0),
    "xlsx": (XLSX, download.SheetRows, 3),
}


def save_matrix(
    url: Url,
    client_id: ClientId,
    to: Annotated[Path, typer.Option(help="The file; one that is there is replaced when the new one is whole.")],
    *,
    client_secret_file: SecretFile = None,
    key: Key = None,
    key_kid: KeyKid = None,
    format: Annotated[Format, typer.Option(help="What kind of file.")] = "xlsx",
    language: Annotated[Literal["id", "en"], typer.Option(help="Of its headings, and of refusals.")] = "id",
    filter: Annotated[
        list[str] | None,
        typer.Option(help="A parameter of GET /v1/tasks, e.g. region=35.73; repeat it.", metavar="NAME=VALUE"),
    ] = None,
) -> None:
    """Save the follow-up matrix: all tasks that your client may see, or those that the filters leave.

    Shows how far it is. Ends with 1 when the file did not come whole; then nothing of it is left, and a file that was
    there stays. Ends with 2 when the words of the command are wrong.
    """
    login = login_of(client_id, client_secret_file, key, key_kid)
    params = tuple(_parameter(one) for one in filter or ())
    if to.is_dir() or not to.parent.is_dir():
        fail(f"{to} can't be a file: {'it is a folder' if to.is_dir() else 'there is no such folder'}.", code=2)
    kind, rows, headings = _FORMATS[format]
    ask = Ask("/v1/tasks", params, kind, language, rows, headings)
    try:
        brought = asyncio.run(_bring(url, login, ask, to))
    except KeyboardInterrupt:
        fail(f"Stopped. {_NOTHING.format(to)}")
    except (Unreachable, OSError) as error:
        fail(f"{error}\n{_NOTHING.format(to)}")
    console.print(f"Wrote {_rows(brought)}, {decimal(brought.size)}, to {to}.", markup=False, soft_wrap=True)


_NOTHING: Final = "The file did not come whole: nothing was written to {}."


def _parameter(text: str) -> tuple[str, str]:
    name, equals, content = text.partition("=")
    if not (name and equals):
        fail(f"--filter {text}: name a parameter and its value, as in region=35.73.", code=2)
    return name, content


async def _bring(url: str, login: Login, ask: Ask, to: Path) -> Brought:
    async with httpx.AsyncClient(base_url=url, timeout=calling.PATIENCE) as http:
        service = Service(http, login)
        await service.log_in()
        with _watched() as bar:
            task = bar.add_task(to.name, total=None, told="waiting for the first row")

            def advance(brought: Brought) -> None:
                told = f"{_rows(brought)}, {decimal(brought.size)}"
                bar.update(task, completed=max(0, brought.rows), total=brought.of, told=told)

            return await download.bring(service, ask, to, advance)


def _rows(brought: Brought) -> str:
    known = f" of {brought.of:,}" if brought.of is not None else ""
    return f"{max(0, brought.rows):,}{known} tasks"


@contextmanager
def _watched() -> Iterator[Progress]:
    """A bar for people: what, how much of it, and for how long still."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar
