"""A list of the service brought here as a file, whole or not at all, while somebody watches how far it is."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import httpx

from app.calling import Refused, Service, Unreachable
from app.drafts import drafted
from app.places import sync

#: How the rows to come are counted: all of them, or not at all where that takes the service too long.
_COUNTS: Final = ("exact", "none")
_TOO_LONG: Final = "timeout"


class Rows(Protocol):
    """Counts the rows of a file while it comes."""

    def add(self, chunk: bytes) -> int:
        """How many rows begin or end in the next bytes, headings among them."""


class Lines:
    """Of NDJSON: each line is one."""

    def add(self, chunk: bytes) -> int:
        """Its line ends."""
        return chunk.count(b"\n")


class Records:
    """Of CSV: lines, but for those inside quotation marks."""

    def __init__(self) -> None:
        self._quoted = False

    def add(self, chunk: bytes) -> int:
        """Its line ends outside of quotation marks; two of these inside others open and close nothing."""
        found = 0
        for place, part in enumerate(chunk.split(b'"')):
            self._quoted ^= place > 0
            found += 0 if self._quoted else part.count(b"\n")
        return found


class SheetRows:
    """Of XLSX: the rows of its first part, which is the sheet (ZIP 6.3.10, section 4.3.7; RFC 1951)."""

    _HEADER: Final = 30  # bytes, and then so many as its last two numbers say
    _ROW: Final = b"<row "

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._inflated = zlib.decompressobj(-zlib.MAX_WBITS)
        self._last = b""

    def add(self, chunk: bytes) -> int:
        """The rows that begin in what is known now of the sheet; none after its end."""
        if self._head is not None:
            self._head += chunk
            sizes = self._head[self._HEADER - 4 : self._HEADER]
            ends = self._HEADER + int.from_bytes(sizes[:2], "little") + int.from_bytes(sizes[2:], "little")
            if len(self._head) < ends:
                return 0
            chunk, self._head = self._head[ends:], None
        if self._inflated.eof:
            return 0
        text = self._last + self._inflated.decompress(chunk)
        self._last = text[1 - len(self._ROW) :]  # shorter than what is counted, so nothing is counted twice
        return text.count(self._ROW)


@dataclass(frozen=True)
class Ask:
    """What is wanted: where, with which parameters, as which media type, in which language.

    `rows` counts them in the file, in which so many `headings` stand above them.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    kind: str
    language: str
    rows: Callable[[], Rows]
    headings: int


@dataclass
class Brought:
    """How far it is: bytes, rows, and of how many of these, None where nobody counted them."""

    size: int = 0
    rows: int = 0
    of: int | None = None
    counts: Rows = field(default_factory=Lines)


async def bring(service: Service, ask: Ask, path: Path, advance: Callable[[Brought], object]) -> Brought:
    """Write the file to `path` when all of it is there; raises Unreachable, Refused, OSError.

    `advance` hears of each part.
    """
    with drafted(path) as file:
        counted = any(name == "count" for name, _ in ask.params)
        for count in ("",) if counted else _COUNTS:
            params = [*ask.params, *([("count", count)] if count else [])]
            try:
                async with service.stream(
                    ask.path, headers={"Accept": ask.kind, "Accept-Language": ask.language}, params=params
                ) as answer:
                    brought = _begun(answer, ask)
                    async for chunk in answer.aiter_bytes():
                        file.write(chunk)
                        brought.size += len(chunk)
                        brought.rows += brought.counts.add(chunk)
                        advance(brought)
                break
            except Refused as refused:
                if refused.code != _TOO_LONG or count in {"", _COUNTS[-1]}:
                    raise
    sync(path.parent)
    brought.rows = max(0, brought.rows)
    return brought


def _begun(answer: httpx.Response, ask: Ask) -> Brought:
    """Nothing yet of what an answer promises; raises Unreachable for one that is no such file."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind != ask.kind:
        raise Unreachable(f"{ask.path}: {kind or 'nothing'} came instead of {ask.kind}.")
    if not {"content-length", "transfer-encoding"} & answer.headers.keys():
        raise Unreachable(f"{ask.path}: nothing would tell the end of the file from a broken connection.")
    number, _, more = answer.headers.get("total-count", "").partition(";")
    exact = number.isdigit() and not more
    return Brought(rows=-ask.headings, of=int(number) if exact else None, counts=ask.rows())
