"""Rows as files that grow while they are sent: CSV (RFC 4180) for whatever reads tables; nothing in a cell may run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

Cell = str | int | datetime | None

#: What a spreadsheet takes for a formula or a command, its full-width forms included, and what it skips before one.
_STARTS: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
#: The same after a mark at which a spreadsheet of another country splits the cells of a CSV, quoted there or not.
_SPLIT: Final = re.compile(r"([;\t\r\n|])([\s\"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Kind(StrEnum):
    """What the cells of a column hold."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its width in characters, and what it holds."""

    heading: str
    width: int
    kind: Kind = Kind.TEXT


def harmless(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula: behind an apostrophe, if it begins like one."""
    return f"'{text}" if _STARTS.match(text) else text


class Csv:
    """Comma-separated values in UTF-8, with the mark by which spreadsheets know it; instants in RFC 3339."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def begin(self) -> bytes:
        """The headings."""
        return _BYTE_ORDER_MARK + _lines([[column.heading for column in self._columns]])

    def add(self, rows: Iterable[Sequence[Cell]]) -> bytes:
        """Some rows."""
        return _lines([[_field(cell) for cell in row] for row in rows])

    def end(self) -> bytes:
        """Nothing: of what is missing only the connection can tell."""
        return b""


def _lines(rows: list[list[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue().encode()


def _field(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return _SPLIT.sub(r"\1\2'", harmless(cell))
        case datetime():
            return cell.isoformat()
        case _:
            return str(cell)
