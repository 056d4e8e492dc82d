"""An exported log checked offline, against itself and against what an agency kept: no database, nobody to be trusted.

An operator can write any files, and sign them if it holds the log's key. It can't make them agree with a head or a
receipt that an agency was given before: whatever was changed since, the tree of that size has another root, or the
promised leaf is missing. Nothing is printed here; what is wrong is said in sentences that name it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from app import evidence, log_files, losses
from app.log_files import ENTRIES, Entry, Head, Loss, Receipt
from app.retired_years import Years
from app.rules.merkle import Tree
from app.testimony import Claim, Kept, Promise, Report, Testimony


def verify(
    folder: Path, kept: Kept | None = None, *, quorum: int = 3, advance: Callable[[int], object] | None = None
) -> Report:
    """Check an export; it is witnessed where `quorum` agencies have cosigned. Raises Unreadable.

    What was signed over entries that the log has declared lost is a finding all the same, which tells who resumed it
    and why; only where `kept` accepts the entry that declares it, it is a warning.
    `advance` hears now and then how many bytes more of the entries were read.
    """
    return _Verification(folder, kept or Kept(), advance).report_on(quorum)


class _Verification:
    """One pass over the entries, with all claims beside it; of the entries no more is kept than the tree's frontier."""

    def __init__(self, folder: Path, kept: Kept, advance: Callable[[int], object] | None) -> None:
        self.report, self.tree = Report(), Tree()
        self.testimony = Testimony(folder, kept, self.report)
        self.entries = log_files.records(folder / ENTRIES, Entry, advance)
        self.index = 0  # of the entry read last
        self.places = dict[str, int]()  # promised leaf -> size of the tree with it; 0 while it was not met
        self.many = dict[str, list[Receipt]]()  # first leaf -> receipts of many leaves
        self.begun: list[tuple[Receipt, Tree]] = []  # those whose leaves are being read
        self.documents = dict[int, str]()  # of entries that may declare a loss
        self.years = Years()  # that the log declares retired, and the entries without a document
        self.losses = list[Loss]()  # as the newest head that fits names them
        self.doubts = list[tuple[Claim, str]]()  # what does not fit, until all declarations are read
        self.witnesses = dict[str, int]()  # agency -> the largest size that it has cosigned

    def report_on(self, quorum: int) -> Report:
        promises = list(self.testimony.promises())
        self.places = {leaf: 0 for promise in promises for leaf in promise.said.promised}
        for promise in promises:
            if promise.said.first is not None:
                self.many.setdefault(promise.said.first, []).append(promise.said)
        for claim in self.testimony.claims():
            self._grow(claim.size - self.tree.size)
            self._weigh(claim)
        self._grow(None)
        self._judge()
        if self.report.newest is None:
            self.report.findings.append("No head of the log fits these entries: nobody answers for them.")
        for promise in promises:
            self._redeem(promise)
        sizes = sorted(self.witnesses.values(), reverse=True)
        self.report.witnessed = sizes[quorum - 1] if len(sizes) >= quorum else 0
        self._count()
        self.report.entries, self.report.root = self.tree.size, self.tree.root().hex()
        self.testimony.close()
        return self.report

    def _grow(self, count: int | None) -> None:
        """Read so many more entries, or all, and grow the tree with them."""
        for _, entry in islice(self.entries, count if count is None else max(count, 0)):
            self._place(entry)
            self._read(entry)
            deque(self.tree.append(bytes.fromhex(entry.leaf)), maxlen=0)
            if self.places.get(entry.leaf) == 0:
                self.places[entry.leaf] = self.tree.size
            if entry.leaf in self.many or self.begun:
                self._gather(entry.leaf)

    def _gather(self, leaf: str) -> None:
        """Grow the small trees of receipts of many; one that is whole stands for its leaves."""
        self.begun += [(receipt, Tree()) for receipt in self.many.pop(leaf, ())]
        for receipt, tree in self.begun:
            deque(tree.append(bytes.fromhex(leaf)), maxlen=0)
            if tree.size == receipt.count and tree.root().hex() == receipt.root:
                self.places[receipt.promised[0]] = self.tree.size
        self.begun = [(receipt, tree) for receipt, tree in self.begun if tree.size < receipt.count]

    def _place(self, entry: Entry) -> None:
        last, self.index = self.index, entry.index
        if entry.index > last + 1:
            missing = (
                f"Entry {last + 1} is" if entry.index == last + 2 else f"Entries {last + 1} to {entry.index - 1} are"
            )
            self.testimony.find(ENTRIES, f"{missing} missing.")
        elif entry.index <= last:
            self.testimony.find(ENTRIES, f"Entry {entry.index} stands after entry {last}.")

    def _read(self, entry: Entry) -> None:
        """Look whether the document is the one that was hashed, where it is there."""
        if entry.document is None:
            self.report.leaves += 1
            self.years.miss(entry.index)
            return
        if '"kind":"log.resumed"' in entry.document:
            self.documents[entry.index] = entry.document
        if '"kind":"log.retired"' in entry.document:
            self.years.declare(entry.index, entry.document)
        self.report.documents += 1
        try:
            document = entry.document.encode()
            self.years.meet(log_files.unambiguous(document).get("id"))
        except (ValueError, RecursionError):
            self.testimony.find(ENTRIES, f"Entry {entry.index}: its document can't be read in one way only.")
        else:
            if evidence.leaf(document).hex() != entry.leaf:
                self.testimony.find(ENTRIES, f"Entry {entry.index}: its document is not the one that was hashed.")

    def _weigh(self, claim: Claim) -> None:
        """Hold a claim against the tree, which has grown to its size if it could."""
        if self.tree.size < claim.size:
            wrong = f"here are {self.tree.size} entries: what it covers was cut off, or it is younger than this export."
        elif self.tree.size > claim.size:
            wrong = "it stands after one of a larger size."
        elif self.tree.root().hex() != claim.said.root:
            wrong = (
                f"it was signed {_moment(claim.said.iat)}, and the entries here have another root. What it covers was"
                " changed, or others were shown another log."
            )
        elif claim.agency is not None:
            self.witnesses[claim.agency] = claim.size
            return
        else:
            self.report.sealed = claim.size
            self.report.newest = max(self.report.newest or 0, claim.said.iat)
            self.losses = claim.said.resumed if isinstance(claim.said, Head) else self.losses
            return
        self.doubts.append((claim, f"{claim.where}: {wrong}"))

    def _judge(self) -> None:
        """Hold what does not fit against the log, or take it for lost where that was declared and is accepted."""
        for claim, wrong in self.doubts:
            loss = losses.loss_of(claim.said, self.losses)
            if loss is None:
                self.testimony.find(claim.source, wrong)
                continue
            sentence = f"{claim.where}: {losses.declaration(loss, self.documents.get(loss.entry))}"
            if loss.entry in self.testimony.kept.accepted:
                self.report.warnings.append(sentence)
            else:
                self.testimony.find(claim.source, f"{sentence} Accepted with --accept-resumed {loss.entry} only.")

    def _count(self) -> None:
        """Find entries without a document beyond those that the log declares retired, by year and place."""
        self.report.retired, excess = self.years.weigh(self.report.sealed)
        if excess == 0:
            return
        sentence = (
            f"{self.report.leaves} entries are here by their leaf alone, and the log declares {self.report.retired}"
            f" retired: {excess} of them are none of those."
        )
        if self.testimony.kept.partial:
            self.report.warnings.append(sentence)
        else:
            self.testimony.find(
                ENTRIES, f"{sentence} Only what was fetched by whom not all is shown may lack them (--partial)."
            )

    def _redeem(self, promise: Promise) -> None:
        """Look whether each promised leaf is under a head, if there is a head that is young enough to tell."""
        missing = [leaf for leaf in promise.said.promised if not 0 < self.places[leaf] <= self.report.sealed]
        until, newest = promise.said.iat + promise.said.within, self.report.newest
        if missing and newest is not None and newest > until:
            self.testimony.find(
                promise.source,
                f"{promise.where}: the leaf {missing[0]} is under no head. It was promised until {_moment(until)}, and"
                f" the newest head was signed {_moment(newest)}.",
            )
        elif missing:
            self.report.pending.append(f"{promise.where}: promised until {_moment(until)}, and no head is younger.")


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(min(seconds, log_files.LAST), UTC):%Y-%m-%d %H:%M:%S} UTC"
