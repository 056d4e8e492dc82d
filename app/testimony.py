"""Who says what about a log: the statements in its export and those that an agency kept, each ascribed to a key.

Whatever none of the keys has signed, or is about another log, is found here and goes no further.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Final

from app import log_files
from app.log_files import (
    COSIGNATURES,
    HEADS,
    Cosignature,
    CosignatureLine,
    Head,
    HeadLine,
    PublicKeys,
    Receipt,
    Tree,
    shown,
)
from app.rules.merkle import EMPTY
from app.statements import Kind, Unsigned

#: Findings that are listed of one file; the others are counted.
_LISTED: Final = 20
_BETWEEN: Final = re.compile(rb"[\s,]+")
_KEYS_UNPINNED: Final = (
    "The log's keys are those of the export itself: an operator could have exchanged them together with all that they"
    " sign. Name with --keys the ones that you fetched earlier."
)
_WITNESSES_UNPINNED: Final = (
    "The witnesses' keys are those of the export itself: an operator could have made them up. Ask the agencies whether"
    " they are theirs, or name with --keys the keys.json of an earlier export."
)


@dataclass(frozen=True)
class Kept:
    """What an agency kept out of the operator's reach: files of heads and of receipts, the keys it fetched.

    `accepted` are the entries whose declaration of a loss it has accepted. `partial` says that it fetched the entries
    itself, and was not shown the documents of all.
    """

    heads: tuple[Path, ...] = ()
    receipts: tuple[Path, ...] = ()
    keys: Path | None = None
    accepted: tuple[int, ...] = ()
    partial: bool = False


@dataclass
class Report:
    """What was checked, and every finding.

    The first `sealed` entries are under a head of the log, the first `witnessed` under one that enough agencies have
    cosigned. `newest` is when the newest head was signed, in seconds since 1970. What is pending was promised, and no
    head is young enough to hold it against the log. Of `entries` so many came with their `documents`, the others by
    their leaf hash alone (`leaves`); `retired` is how many the log itself declares to be no longer online.
    """

    log: str = ""
    entries: int = 0
    documents: int = 0
    leaves: int = 0
    retired: int = 0
    heads: int = 0
    cosignatures: int = 0
    receipts: int = 0
    root: str = EMPTY.hex()
    sealed: int = 0
    witnessed: int = 0
    newest: int | None = None
    pending: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Claim:
    """What the log, or an agency that witnessed it, has signed about the tree of one size."""

    source: str
    where: str
    said: Tree
    agency: str | None = None

    @property
    def size(self) -> int:
        """Of the tree."""
        return self.said.size


@dataclass(frozen=True)
class Promise:
    """A receipt, and where it stands."""

    source: str
    where: str
    said: Receipt


class Testimony:
    """The statements in an export and those that an agency kept; what is wrong with one goes into the report."""

    def __init__(self, folder: Path, kept: Kept, report: Report) -> None:
        self.folder, self.kept, self.report = folder, kept, report
        self.found = Counter[str]()
        self.keys = self._trusted()

    def find(self, source: str, sentence: str) -> None:
        """Report what is wrong, unless enough was said of this file."""
        self.found[source] += 1
        if self.found[source] <= _LISTED:
            self.report.findings.append(sentence)

    def close(self) -> None:
        """Count what was not listed."""
        for source, count in self.found.items():
            if count > _LISTED:
                self.report.findings.append(f"{source}: {count - _LISTED:,} findings more.")

    def _trusted(self) -> PublicKeys:
        """The keys that the agency fetched itself, and those of the export where it has none, with a warning."""
        exported = log_files.public_keys(self.folder / log_files.KEYS)
        pinned = log_files.public_keys(self.kept.keys) if self.kept.keys else None
        if pinned is None:
            self.report.warnings.append(_KEYS_UNPINNED)
        if pinned is not None and pinned.witnesses is not None:
            return pinned
        if exported.witnesses:
            self.report.warnings.append(_WITNESSES_UNPINNED)
        return PublicKeys((pinned or exported).log, exported.witnesses)

    def claims(self) -> Iterator[Claim]:
        """Every claim about the tree, the smallest size first as far as the files keep that order."""
        kept = sorted(self._kept_heads(), key=attrgetter("size"))
        return heapq.merge(kept, self._heads(), self._cosignatures(), key=attrgetter("size"))

    def _kept_heads(self) -> Iterator[Claim]:
        """Heads one a line, by themselves or as `head` in the JSON object in which they came."""
        for path in self.kept.heads:
            source = f"{shown(path)} (kept)"
            for number, line in log_files.lines(path):
                if line.strip():
                    yield from self._head(source, f"Head in {source}, line {number}", _bare(line))

    def _heads(self) -> Iterator[Claim]:
        for number, line in log_files.records(self.folder / HEADS, HeadLine):
            where = f"Head of size {line.size} ({HEADS}, line {number})"
            for claim in self._head(HEADS, where, line.head):
                if claim.size == line.size:
                    yield claim
                else:
                    self.find(HEADS, f"{where}: it was signed for size {claim.size}.")

    def _head(self, source: str, where: str, text: str) -> Iterator[Claim]:
        self.report.heads += 1
        try:
            said = log_files.stated(self.keys.log, Kind.HEAD, Head, text)
        except Unsigned:
            self.find(source, f"{where}: no key of the log has signed it.")
        else:
            if self._of_this_log(source, where, said.iss):
                yield Claim(source, where, said)

    def _cosignatures(self) -> Iterator[Claim]:
        for number, line in log_files.records(self.folder / COSIGNATURES, CosignatureLine):
            self.report.cosignatures += 1
            where = f"Cosignature of {line.agency} for size {line.size} ({COSIGNATURES}, line {number})"
            key = (self.keys.witnesses or {}).get((line.agency, line.kid))
            try:
                said = log_files.stated([key] if key else [], Kind.COSIGNATURE, Cosignature, line.cosignature)
            except Unsigned:
                self.find(COSIGNATURES, f"{where}: no witness key of {line.agency} has signed it.")
                continue
            if (said.iss, said.size) != (line.agency, line.size):
                self.find(COSIGNATURES, f"{where}: it was signed for {said.iss} and size {said.size}.")
            elif self._of_this_log(COSIGNATURES, where, said.log):
                yield Claim(COSIGNATURES, where, said, line.agency)

    def promises(self) -> Iterator[Promise]:
        """The receipts that the agency kept, one or more a line."""
        for path in self.kept.receipts:
            source = f"{shown(path)} (kept)"
            for number, line in log_files.lines(path):
                for text in filter(None, _BETWEEN.split(line)):
                    yield from self._receipt(source, f"{source}, line {number}", _text(text))

    def _receipt(self, source: str, place: str, text: str) -> Iterator[Promise]:
        self.report.receipts += 1
        try:
            said = log_files.stated(self.keys.log, Kind.RECEIPT, Receipt, text)
        except Unsigned:
            self.find(source, f"Receipt in {place}: no key of the log has signed it.")
        else:
            where = f"Receipt of request {said.request_id} ({place})"
            if self._of_this_log(source, where, said.iss):
                yield Promise(source, where, said)

    def _of_this_log(self, source: str, where: str, log: str) -> bool:
        """Whether a statement is about the log that the first one was about."""
        self.report.log = self.report.log or log
        if log != self.report.log:
            self.find(source, f"{where}: it is about another log, {log}.")
        return log == self.report.log


def _bare(line: bytes) -> str:
    try:
        return str(log_files.unambiguous(line).get("head"))
    except (ValueError, RecursionError):
        return _text(line.strip())


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
