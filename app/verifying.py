"""An exported log checked offline, against itself and against what an agency kept: no database, nobody to be trusted.

An operator can write any files, and sign them if it holds the log's key. It can't make them agree with a head or a
receipt that an agency was given before: whatever was changed since, the tree of that size has another root, or the
promised leaf is missing. Nothing is printed here; what is wrong is said in sentences that name it.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Final

from app import evidence, log_files
from app.log_files import Cosignature, CosignatureLine, Entry, Head, HeadLine, PublicKeys, Receipt, shown
from app.rules.merkle import EMPTY, Tree
from app.statements import Kind, Unsigned

#: Findings that are listed of one file; the others are counted.
_LISTED: Final = 20
_BETWEEN: Final = re.compile(rb"[\s,]+")


@dataclass(frozen=True)
class Kept:
    """What an agency kept outside the operator's reach: files of heads and receipts, the keys it fetched."""

    heads: tuple[Path, ...] = ()
    receipts: tuple[Path, ...] = ()
    keys: Path | None = None


@dataclass
class Report:
    """What was checked, and every finding.

    The first `sealed` entries are under a head of the log, the first `witnessed` under one that enough agencies have
    cosigned. `newest` is when the newest head was signed, in seconds since 1970. What is pending was promised, and no
    head is young enough to hold it against the log.
    """

    log: str = ""
    entries: int = 0
    documents: int = 0
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
class _Claim:
    """What a log, or an agency that witnessed it, has signed about the tree of one size."""

    source: str
    where: str
    said: Head
    agency: str | None = None

    @property
    def size(self) -> int:
        return self.said.size


def verify(
    folder: Path, kept: Kept | None = None, *, quorum: int = 3, advance: Callable[[int], object] | None = None
) -> Report:
    """Check an export; it is witnessed where `quorum` agencies have cosigned. Raises Unreadable.

    `advance` hears now and then how many bytes more of the entries were read.
    """
    return _Verification(folder, kept or Kept()).run(quorum, advance)


class _Verification:
    """One pass over entries, heads and cosignatures side by side; of the entries nothing is kept but the frontier."""

    def __init__(self, folder: Path, kept: Kept) -> None:
        self.folder, self.kept = folder, kept
        self.report, self.tree = Report(), Tree()
        self.found = Counter[str]()  # findings by file
        self.places = dict[str, int]()  # size of the tree with each leaf that a receipt promises; 0: not yet met
        self.witnesses = dict[str, int]()  # the largest size that each agency has cosigned
        self.keys = self._trusted()

    def run(self, quorum: int, advance: Callable[[int], object] | None) -> Report:
        receipts = list(self._receipts())
        self.places = {leaf: 0 for _, _, receipt in receipts for leaf in receipt.leaves}
        claims = heapq.merge(self._kept_heads(), self._heads(), self._cosignatures(), key=attrgetter("size"))
        self._follow(claims, advance)
        sizes = sorted(self.witnesses.values(), reverse=True)
        self.report.witnessed = sizes[quorum - 1] if len(sizes) >= quorum else 0
        for source, where, receipt in receipts:
            self._redeem(source, where, receipt)
        return self._closed()

    def _find(self, source: str, sentence: str) -> None:
        self.found[source] += 1
        if self.found[source] <= _LISTED:
            self.report.findings.append(sentence)

    # keys

    def _trusted(self) -> PublicKeys:
        """The keys that the agency fetched itself, and those of the export where it has none, with a warning."""
        exported = log_files.public_keys(self.folder / log_files.KEYS)
        pinned = log_files.public_keys(self.kept.keys) if self.kept.keys else None
        if pinned is None:
            self.report.warnings.append(
                "The log's keys are those of the export itself: an operator could have exchanged them together with"
                " all that they sign. Name with --keys the ones that you fetched earlier."
            )
        witnesses = pinned and pinned.witnesses
        return PublicKeys((pinned or exported).log, witnesses if witnesses is not None else exported.witnesses or {})

    # what was signed

    def _kept_heads(self) -> list[_Claim]:
        """The heads that the agency kept: one a line, by itself or in a JSON object as `head`."""
        claims = []
        for path in self.kept.heads:
            source = f"{shown(path)} (kept)"
            for number, line in log_files.lines(path):
                if line.strip():
                    claims += self._head(source, f"Head in {source}, line {number}", _bare(line))
        return sorted(claims, key=attrgetter("size"))

    def _heads(self) -> Iterator[_Claim]:
        for number, line in log_files.records(self.folder / log_files.HEADS, HeadLine):
            where = f"Head of size {line.size} ({log_files.HEADS}, line {number})"
            for claim in self._head(log_files.HEADS, where, line.head):
                if claim.size != line.size:
                    self._find(log_files.HEADS, f"{where}: it was signed for size {claim.size}.")
                yield claim

    def _head(self, source: str, where: str, text: str) -> Iterator[_Claim]:
        self.report.heads += 1
        try:
            said = log_files.stated(self.keys.log, Kind.HEAD, Head, text)
        except Unsigned:
            self._find(source, f"{where}: no key of the log has signed it.")
        else:
            if self._of_this_log(source, where, said.iss):
                yield _Claim(source, where, said)

    def _cosignatures(self) -> Iterator[_Claim]:
        source = log_files.COSIGNATURES
        for number, line in log_files.records(self.folder / source, CosignatureLine):
            self.report.cosignatures += 1
            where = f"Cosignature of {line.agency} for size {line.size} ({source}, line {number})"
            key = (self.keys.witnesses or {}).get((line.agency, line.kid))
            try:
                said = log_files.stated([key] if key else [], Kind.COSIGNATURE, Cosignature, line.cosignature)
            except Unsigned:
                self._find(source, f"{where}: no witness key of {line.agency} has signed it.")
                continue
            if (said.iss, said.size) != (line.agency, line.size):
                self._find(source, f"{where}: it was signed for {said.iss} and size {said.size}.")
            elif self._of_this_log(source, where, said.log):
                yield _Claim(source, where, said, line.agency)

    def _receipts(self) -> Iterator[tuple[str, str, Receipt]]:
        """The receipts that the agency kept, one or more a line."""
        for path in self.kept.receipts:
            source = f"{shown(path)} (kept)"
            for number, line in log_files.lines(path):
                for text in filter(None, _BETWEEN.split(line)):
                    self.report.receipts += 1
                    where = f"{source}, line {number}"
                    try:
                        said = log_files.stated(self.keys.log, Kind.RECEIPT, Receipt, _text(text))
                    except Unsigned:
                        self._find(source, f"Receipt in {where}: no key of the log has signed it.")
                        continue
                    where = f"Receipt of request {said.request_id} ({where})"
                    if self._of_this_log(source, where, said.iss):
                        yield source, where, said

    def _of_this_log(self, source: str, where: str, log: str) -> bool:
        """Whether a statement is about the log that the first one was about."""
        self.report.log = self.report.log or log
        if log != self.report.log:
            self._find(source, f"{where}: it is about another log, {log}.")
        return log == self.report.log

    # the tree

    def _follow(self, claims: Iterator[_Claim], advance: Callable[[int], object] | None) -> None:
        """Grow the tree entry by entry, and hold it against each claim when it has its size."""
        index, claim = 0, next(claims, None)
        while claim is not None and claim.size == 0:
            claim = self._weighed(claim, claims)
        for _, entry in log_files.records(self.folder / log_files.ENTRIES, Entry, advance):
            self._place(entry.index, after=index)
            index = entry.index
            self._read(entry)
            deque(self.tree.append(bytes.fromhex(entry.leaf)), maxlen=0)
            if self.places.get(entry.leaf) == 0:
                self.places[entry.leaf] = self.tree.size
            while claim is not None and claim.size <= self.tree.size:
                claim = self._weighed(claim, claims)
        self.report.entries, self.report.root = self.tree.size, self.tree.root().hex()
        while claim is not None:
            self._find(claim.source, f"{claim.where}: here are {self.tree.size} entries; what it covers was cut off.")
            claim = next(claims, None)

    def _place(self, index: int, *, after: int) -> None:
        if index > after + 1:
            missing = f"Entry {after + 1} is" if index == after + 2 else f"Entries {after + 1} to {index - 1} are"
            self._find(log_files.ENTRIES, f"{missing} missing.")
        elif index <= after:
            self._find(log_files.ENTRIES, f"Entry {index} stands after entry {after}.")

    def _read(self, entry: Entry) -> None:
        if entry.document is None:
            return
        self.report.documents += 1
        try:
            document = entry.document.encode()
            log_files.unambiguous(document)
        except (ValueError, RecursionError):
            self._find(log_files.ENTRIES, f"Entry {entry.index}: its document can't be read in one way only.")
        else:
            if evidence.leaf(document).hex() != entry.leaf:
                self._find(log_files.ENTRIES, f"Entry {entry.index}: its document is not the one that was hashed.")

    def _weighed(self, claim: _Claim, claims: Iterator[_Claim]) -> _Claim | None:
        """Hold a claim against the tree, which has its size unless it stands out of order; returns the next one."""
        if claim.size < self.tree.size:
            self._find(claim.source, f"{claim.where}: it stands after one of a larger size.")
        elif claim.said.root != self.tree.root().hex():
            self._find(
                claim.source,
                f"{claim.where}: signed {_moment(claim.said.iat)}, and the entries here have another root. What it"
                " covers was changed, or others were shown another log.",
            )
        elif claim.agency is not None:
            self.witnesses[claim.agency] = claim.size
        else:
            self.report.sealed = claim.size
            self.report.newest = max(self.report.newest or 0, claim.said.iat)
        return next(claims, None)

    # the end

    def _redeem(self, source: str, where: str, receipt: Receipt) -> None:
        """Look whether each promised leaf is under a head, if there is a head that is young enough to tell."""
        missing = [leaf for leaf in receipt.leaves if not 0 < self.places[leaf] <= self.report.sealed]
        if not missing:
            return
        promised, newest = receipt.iat + receipt.within, self.report.newest
        if newest is None or newest <= promised:
            self.report.pending.append(f"{where}: promised until {_moment(promised)}, and no head here is younger.")
        else:
            self._find(
                source,
                f"{where}: the leaf {missing[0]} is under no head. It was promised until {_moment(promised)}, and the"
                f" newest head was signed {_moment(newest)}.",
            )

    def _closed(self) -> Report:
        if self.report.newest is None:
            self._find(log_files.HEADS, "No head of the log fits these entries: nobody answers for them.")
        for source, count in self.found.items():
            if count > _LISTED:
                self.report.findings.append(f"{source}: {count - _LISTED:,} findings more.")
        return self.report


def _bare(line: bytes) -> str:
    """The statement on a line, taken out of the JSON object in which it was fetched or exported."""
    try:
        return str(log_files.unambiguous(line).get("head"))
    except (ValueError, RecursionError):
        return _text(line.strip())


def _text(line: bytes) -> str:
    return line.decode(errors="replace")


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(min(seconds, log_files.LAST), UTC):%Y-%m-%d %H:%M:%S} UTC"
