"""The follow-up matrix (matriks tindak lanjut) as a file: the list of tasks as CSV, NDJSON or XLSX while it is read.

A file that can't be finished ends with its connection: nobody takes half of it for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Protocol

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app import workbooks
from app.db import Reader, Row, encode
from app.errors import NotAcceptable, Problem
from app.matrix_columns import Told, columns, told
from app.negotiation import JSON, chosen
from app.outages import problem_of
from app.problems import Language, language_of
from app.rules.caller import Caller
from app.rules.law import WIB
from app.schemas.tasks import TaskQuery
from app.security import Keys
from app.services import listing, matrix
from app.services.matrix import Ask, Step
from app.services.seats import Seats
from app.settings import Settings
from app.spreadsheets import Csv

CSV, NDJSON, XLSX = "text/csv", "application/x-ndjson", workbooks.MEDIA_TYPE
_NAME: Final = {"id": "matriks-tindak-lanjut", "en": "follow-up-matrix"}
_ENDING: Final = {CSV: "csv", NDJSON: "ndjson", XLSX: "xlsx"}
_AGAIN_AFTER: Final = 10
#: What OpenAPI says of the files.
DOCUMENTED: Final[dict[str, Any]] = {
    CSV: {"schema": {"type": "string"}, "example": "No,Nomor,Judul\r\n1,35.73-2024-7K3M9Q,Sosialisasi\r\n"},
    NDJSON: {"schema": {"type": "string"}, "example": '{"id": "...", "status": "assigned"}\n'},
    XLSX: {"schema": {"type": "string", "format": "binary"}},
}


def wanted(request: Request) -> str | None:
    """The file that the caller asks for rather than for a page, or None; raises NotAcceptable where it wants neither.

    HTTP/1.0 can't tell the end of a file from a broken connection, so there it is pages only.
    """
    kind = chosen(request, (JSON, *_ENDING))
    if kind == JSON:
        return None
    if request.scope["http_version"] == "1.0":
        raise NotAcceptable(available=JSON)
    return kind


def is_wanted(request: Request) -> bool:
    """Whether the caller asks for a file; what it asks for in vain, it does not."""
    try:
        return wanted(request) is not None
    except NotAcceptable:
        return False


async def written(
    request: Request, reader: Reader, caller: Caller, keys: Keys, query: TaskQuery, kind: str
) -> MatrixStream:
    """The whole list as a file of this kind, its first step read already; raises InvalidParameter."""
    asked = matrix.whole(query)
    long = await matrix.is_long(reader, caller, asked)
    begun = await matrix.first(reader, caller, keys, asked, long=long)
    count = await listing.count_tasks(reader, caller, asked, nearly=begun.nearly)
    language = language_of(request)
    meanings = await matrix.meanings(reader) if kind == XLSX else []
    made: Maker = Lines(query.fields) if kind == NDJSON else Table(kind, query.fields, language, caller, meanings)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{_NAME[language]}-{_today()}.{_ENDING[kind]}"',
        "Content-Language": language,
        "Vary": "Accept, Accept-Language",
        "X-Accel-Buffering": "no",
    }
    if count is not None:
        more = "" if count["relation"] == "exact" else ";relation=at_least"
        headers["Total-Count"] = f"{count['value']}{more}"
    ask = Ask(request.state.bearer, asked, long)
    return MatrixStream(request, made, matrix.steps(request.app.state.replica, ask, begun), headers, kind)


def _today() -> str:
    return datetime.now(WIB).date().isoformat()


def seats(settings: Settings) -> Seats:
    """The files that one process writes at a time."""
    most = {"client": settings.client_files, "agency": settings.agency_files, "process": settings.process_files}
    return Seats(**most, again_after=_AGAIN_AFTER)


class Maker(Protocol):
    """What turns the steps of the list into the bytes of a file."""

    def begin(self) -> bytes:
        """Its first bytes."""

    def add(self, step: Step) -> bytes:
        """Some tasks."""

    def end(self) -> bytes:
        """Its last bytes."""


class Lines:
    """NDJSON: each line an item of the list, as it stands there."""

    def __init__(self, fields: Sequence[str] | None) -> None:
        self._fields = fields

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def add(self, step: Step) -> bytes:
        """A line each."""
        return b"".join(encode(self._shown(task)) + b"\n" for task in step.tasks)

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def _shown(self, task: Row) -> Row:
        return task if self._fields is None else {name: task[name] for name in task if name in self._fields}


class Table:
    """CSV or XLSX: a row each, numbered, with headings in the language of the caller and codes as they always are."""

    def __init__(
        self, kind: str, fields: Sequence[str] | None, language: Language, caller: Caller, meanings: list[Row]
    ) -> None:
        self._fields, self._number = columns(fields), 0
        laid_out = [one.column(language) for one in self._fields]
        self._file = Csv(laid_out) if kind == CSV else workbooks.Workbook(laid_out, _words(language, caller, meanings))

    def begin(self) -> bytes:
        """Whatever stands above the first row."""
        return self._file.begin()

    def add(self, step: Step) -> bytes:
        """A row each."""
        return self._file.add(self._row(task, step.regions) for task in step.tasks)

    def end(self) -> bytes:
        """Whatever stands below the last row."""
        return self._file.end()

    def _row(self, task: Row, regions: dict[str, Row]) -> list[Any]:
        self._number += 1
        said = Told(self._number, task, regions[task["region"]])
        return [told(said, one) for one in self._fields]


def _words(language: Language, caller: Caller, meanings: list[Row]) -> workbooks.Words:
    now = datetime.now(WIB).strftime("%Y-%m-%d %H:%M WIB")
    legend = [(one["list"], one["code"], one[f"label_{language}"]) for one in meanings]
    if language == "id":
        return workbooks.Words(
            title="Matriks tindak lanjut",
            subtitle=f"Sebagaimana terlihat oleh {caller.agency} pada {now}; waktu menurut zona wilayah masing-masing.",
            sheet="Matriks",
            legend_sheet="Kode",
            legend_headings=("Daftar", "Kode", "Arti"),
            legend=legend,
            cut=" [dipotong: selengkapnya dalam NDJSON]",
        )
    return workbooks.Words(
        title="Follow-up matrix",
        subtitle=f"As {caller.agency} sees it at {now}; times are in the zone of each region.",
        sheet="Matrix",
        legend_sheet="Codes",
        legend_headings=("List", "Code", "Meaning"),
        legend=legend,
        cut=" [cut: all of it is in the NDJSON]",
    )


class MatrixStream(StreamingResponse):
    """A file on its way. Raises QuotaExceeded before anything was sent; later, what it raises breaks the connection."""

    def __init__(
        self, request: Request, made: Maker, steps: AsyncIterator[Step], headers: dict[str, str], kind: str
    ) -> None:
        media_type = f"{CSV}; charset=utf-8; header=present" if kind == CSV else kind
        super().__init__(self._content(request, made, steps), headers=headers, media_type=media_type)
        self._files: Seats = request.app.state.files
        self._caller = request.state.caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as one of so many."""
        with self._files.joined(self._caller):
            await super().__call__(scope, receive, send)

    async def _content(self, request: Request, made: Maker, steps: AsyncIterator[Step]) -> AsyncGenerator[bytes]:
        try:
            yield await _aside(made.begin)
            async with aclosing(steps) as found:  # type: ignore[type-var]
                async for step in found:
                    yield await _aside(made.add, step)
            yield await _aside(made.end)
        except Exception as error:
            problem = error if isinstance(error, Problem) else problem_of(error)
            if problem is not None:
                request.state.problem = problem.code  # the answer is under way: only the log can name it
            raise


async def _aside(make: Callable[..., bytes], *given: Any) -> bytes:
    """What a function makes, while others are served."""
    return await asyncio.to_thread(make, *given)
