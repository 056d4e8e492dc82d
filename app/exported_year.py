"""What an export holds of the facts of one year: this must have left as evidence before the year may be retired.

Beside the log's documents, which hold commitments only, stands `sealed.jsonl` with the words and persons of all facts,
sealed as they are in the database: whoever destroys a key there erases them here as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from app import log_files
from app.log_files import Entry, SealedLine
from app.rules import retention
from app.verifying import verify

#: What a fact counts by: its leaf, which stands for its document, and what is sealed beside it.
_MEMBERS: Final = ("index", "leaf", "words_key", "words", "person_key", "person")


@dataclass
class Facts:
    """Some facts in their order: how many, the index of the last, and a digest that no others have."""

    count: int = 0
    until: int = 0
    _hash: Any = field(default_factory=sha256)

    def add(self, fact: Mapping[str, Any]) -> None:
        """Count a fact: its index and leaf, the ids of its keys and the hash of what is sealed under each (hex)."""
        self.count, self.until = self.count + 1, fact["index"]
        self._hash.update((" ".join(str(fact[name] or "-") for name in _MEMBERS) + "\n").encode())

    @property
    def digest(self) -> str:
        """Hex of SHA-256 over the facts."""
        return str(self._hash.hexdigest())


@dataclass(frozen=True)
class Exported:
    """The facts of a year in an export of the first `size` entries, under `root`, and what is wrong with it."""

    facts: Facts
    size: int
    root: str
    findings: list[str]


def read(folder: Path, year: int) -> Exported:
    """Verify an export and read what it holds of a year; raises Unreadable."""
    report = verify(folder)
    facts, (first, beyond) = Facts(), retention.span(year)
    sealed = _Sealed(folder / log_files.SEALED)
    for _, entry in log_files.records(folder / log_files.ENTRIES, Entry):
        if entry.document is not None and first <= UUID(orjson.loads(entry.document)["id"]) < beyond:
            facts.add({"index": entry.index, "leaf": entry.leaf, **sealed.of(entry.index)})
    return Exported(facts, report.entries, report.root, report.findings)


class _Sealed:
    """The lines of `sealed.jsonl`, read beside the entries: the smallest index first."""

    def __init__(self, path: Path) -> None:
        self._lines: Iterator[tuple[int, SealedLine]] = log_files.records(path, SealedLine)
        self._next = next(self._lines, None)

    def of(self, index: int) -> dict[str, str | None]:
        """What is sealed beside the entry: each key with the hash of what is under it; None where nothing is."""
        while self._next is not None and self._next[1].index < index:
            self._next = next(self._lines, None)
        if self._next is None or self._next[1].index > index:
            return dict.fromkeys(_MEMBERS[2:])
        line = self._next[1]
        return {
            "words_key": line.words_key,
            "words": _hashed(line.words),
            "person_key": line.person_key,
            "person": _hashed(line.person),
        }


def _hashed(content: str | None) -> str | None:
    return None if content is None else sha256(bytes.fromhex(content)).hexdigest()
