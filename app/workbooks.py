"""An Excel workbook that is sent while it is made: XlsxWriter makes all but the rows, which are added to its sheet.

The parts that know how many rows there are come last in the archive; no cell is anything but text, a number or a date.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Final
from zipfile import ZIP_DEFLATED, ZipFile

from app.spreadsheets import Cell, Column, Kind, harmless

if TYPE_CHECKING:
    import xlsxwriter

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Rows of a sheet, characters of a cell, as Excel has them; and what an archive without extensions holds in one part.
ROWS, CHARACTERS, PART = 1_048_576, 32_767, 2_000_000_000
_TITLE, _SUBTITLE, _HEADINGS, _FIRST = 0, 1, 3, 4  # rows, counted from 0
_LEVEL: Final = 6  # of compression
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's days have no zone
_PARTS: Final = re.compile(
    r"(?P<head>.*)<dimension [^>]*/>(?P<views>.*?)<row r=\"5\".*</sheetData>(?P<tail>.*)", re.DOTALL
)
_STYLE: Final = re.compile(r'<c r="([A-Z]+)5" s="(\d+)"')
# What XML can't hold, and what Excel would take for an escape of its own.
_ODD: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPE: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_SPECIAL: Final = re.compile(r"[&<>\r]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|_x")


@dataclass(frozen=True, slots=True)
class Words:
    """What stands around the rows: title, what they are, the sheet's name, and the codes with their meaning."""

    title: str
    subtitle: str
    sheet: str
    legend_sheet: str
    legend_headings: tuple[str, str, str]
    legend: Sequence[tuple[str, str, str]]
    cut: str


class Workbook:
    """A workbook of one table; a table too long for a sheet goes on in the next one."""

    def __init__(self, columns: Sequence[Column], words: Words, *, rows: int = ROWS, part: int = PART) -> None:
        self._columns, self._words = columns, words
        self._rows, self._part = rows, part
        self._sink = _Sink()
        self._archive = ZipFile(self._sink, "w", ZIP_DEFLATED, compresslevel=_LEVEL)
        self._sheet: IO[bytes] | None = None
        self._used: list[int] = []  # rows of each sheet
        self._size = 0
        frame = self._frame([_FIRST + 1])
        found = _taken_apart(frame["xl/worksheets/sheet1.xml"])
        self._head = (found["head"] + found["views"]).encode()
        styled = _STYLE.findall(frame["xl/worksheets/sheet1.xml"].decode())  # from left to right
        self._cells = [(name, style, column.kind) for (name, style), column in zip(styled, columns, strict=True)]

    def begin(self) -> bytes:
        """The title and the headings."""
        self._open()
        return self._sink.drained()

    def add(self, rows: Iterable[Sequence[Cell]]) -> bytes:
        """Some rows."""
        for row in rows:
            if self._used[-1] >= self._rows or self._size >= self._part:
                self._close()
                self._open()
            self._used[-1] += 1
            self._write(self._row(self._used[-1], row))
        return self._sink.drained()

    def end(self) -> bytes:
        """What frames the rows: formats, filters, the meaning of the codes, the table of contents."""
        self._close()
        frame = self._frame(self._used)
        for name, content in frame.items():
            if name not in {f"xl/worksheets/sheet{place + 1}.xml" for place in range(len(self._used))}:
                self._archive.writestr(name, content)
        self._archive.close()
        return self._sink.drained()

    def _open(self) -> None:
        self._used.append(_FIRST)
        self._size = 0
        self._sheet = self._archive.open(f"xl/worksheets/sheet{len(self._used)}.xml", "w")
        self._write(self._head)

    def _close(self) -> None:
        if self._sheet is not None:
            frame = self._frame(self._used)
            tail = _taken_apart(frame[f"xl/worksheets/sheet{len(self._used)}.xml"])["tail"]
            self._write(f"</sheetData>{tail}".encode())
            self._sheet.close()
            self._sheet = None

    def _write(self, content: bytes) -> None:
        if self._sheet is None:
            raise ValueError("no sheet is open")
        self._size += len(content)
        self._sheet.write(content)

    def _row(self, number: int, row: Sequence[Cell]) -> bytes:
        cells = [
            self._cell(f"{name}{number}", style, cell)
            for (name, style, _), cell in zip(self._cells, row, strict=True)
            if cell is not None
        ]
        return f'<row r="{number}">{"".join(cells)}</row>'.encode()

    def _cell(self, place: str, style: str, cell: Cell) -> str:
        match cell:
            case str():
                text = _text(cell, self._words.cut)
                return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
            case datetime():
                days = (cell.replace(tzinfo=None) - _EPOCH).total_seconds() / 86_400
                return f'<c r="{place}" s="{style}"><v>{days:.8f}</v></c>'
            case _:
                return f'<c r="{place}" s="{style}"><v>{cell}</v></c>'

    def _frame(self, used: Sequence[int]) -> dict[str, bytes]:
        """The parts of the same workbook with one row in each sheet, which used to hold so many."""
        # few ask for a workbook, and none while a process starts
        import xlsxwriter  # noqa: PLC0415

        made = io.BytesIO()
        with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False}) as book:
            formats = {
                "title": book.add_format({"bold": True, "font_size": 14}),
                "heading": book.add_format(
                    {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#D9E2F3", "border": 1}
                ),
                Kind.TEXT: book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"}),
                Kind.NUMBER: book.add_format({"valign": "top", "num_format": "0"}),
                Kind.INSTANT: book.add_format({"valign": "top", "num_format": "yyyy-mm-dd hh:mm"}),
            }
            for place, rows in enumerate(used):
                self._lay_out(book, formats, place, rows)
            if self._words.legend:
                self._explain(book, formats)
        with ZipFile(made) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def _lay_out(
        self, book: xlsxwriter.Workbook, formats: dict[str, xlsxwriter.format.Format], place: int, rows: int
    ) -> None:
        words, last = self._words, len(self._columns) - 1
        sheet = book.add_worksheet(words.sheet if place == 0 else f"{words.sheet} {place + 1}")
        sheet.write_string(_TITLE, 0, words.title, formats["title"])
        sheet.write_string(_SUBTITLE, 0, words.subtitle)
        for at, column in enumerate(self._columns):
            sheet.set_column(at, at, column.width)
            sheet.write_string(_HEADINGS, at, column.heading, formats["heading"])
            sheet.write_blank(_FIRST, at, None, formats[column.kind])
        sheet.freeze_panes(_FIRST, 2)
        sheet.autofilter(_HEADINGS, 0, max(rows, _FIRST + 1) - 1, last)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(_HEADINGS)
        sheet.set_footer("&L&A&RHal. &P / &N")

    def _explain(self, book: xlsxwriter.Workbook, formats: dict[str, xlsxwriter.format.Format]) -> None:
        sheet = book.add_worksheet(self._words.legend_sheet)
        for at, heading in enumerate(self._words.legend_headings):
            sheet.set_column(at, at, (24, 32, 60)[at])
            sheet.write_string(0, at, heading, formats["heading"])
        for number, row in enumerate(self._words.legend, start=1):
            for at, text in enumerate(row):
                sheet.write_string(number, at, harmless(text), formats[Kind.TEXT])
        sheet.freeze_panes(1, 0)


def _taken_apart(sheet: bytes) -> dict[str, str]:
    """The parts of a sheet around its rows: what comes before the first, and what comes after the last."""
    found = _PARTS.fullmatch(sheet.decode())
    if found is None:
        raise ValueError("XlsxWriter lays out its sheets in another way now")
    return found.groupdict()


def _text(text: str, cut: str) -> str:
    """A text as XML, harmless, within what a cell holds: where it is cut, that is said."""
    shown = harmless(text)
    if len(shown) > CHARACTERS:
        shown = shown[: CHARACTERS - len(cut)] + cut
    if _SPECIAL.search(shown) is None:
        return shown
    shown = _ESCAPE.sub("_x005F_", _ODD.sub("\ufffd", shown))
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


class _Sink(io.RawIOBase):
    """Where an archive goes that nobody can go back in: what was written waits until it is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self._waiting.append(bytes(content))
        return len(content)

    def drained(self) -> bytes:
        """What has been written since."""
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)
