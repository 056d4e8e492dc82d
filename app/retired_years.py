"""Years that a log declares retired, held against the entries of which an export has the leaf alone."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app import log_files
from app.rules import retention

_KNOWN: Final = 7  # the version of UUID whose year can be told


class Retirement(BaseModel):
    """A year that the log declares retired, with how many facts, and the index of the last."""

    model_config = ConfigDict(strict=True)
    year: int
    count: int
    until: int


class _Fact(BaseModel):
    model_config = ConfigDict(strict=True)
    kind: Literal["log.retired"]
    payload: Retirement


class Years:
    """What is declared retired and what is missing, gathered while entries are read: the smallest index first."""

    def __init__(self) -> None:
        self._declared = list[tuple[int, Retirement]]()
        self._runs = array("Q")  # first and last index of each run of entries without a document
        self._there = Counter[int]()  # documents by the year of their id

    def declare(self, index: int, document: str) -> None:
        """Note the year that the document of an entry declares retired, if it declares one."""
        try:
            said = _Fact.model_validate(log_files.unambiguous(document.encode())).payload
        except (ValueError, RecursionError):
            return
        self._declared.append((index, said))

    def miss(self, index: int) -> None:
        """Note an entry whose document is not there."""
        if self._runs and self._runs[-1] == index - 1:
            self._runs[-1] = index
        else:
            self._runs.extend((index, index))

    def meet(self, id: object) -> None:
        """Note a document that is there, by its id."""
        try:
            known = UUID(id) if isinstance(id, str) else None
        except ValueError:
            return
        if known is not None and known.version == _KNOWN:
            self._there[retention.year_of(known)] += 1

    def weigh(self, sealed: int) -> tuple[int, int]:
        """How many facts the first `sealed` entries declare retired, and how many entries miss a document beyond them.

        Of a year only so many may be missing as were retired and are not there all the same, none after its last one.
        """
        said = {one.year: one for index, one in self._declared if index <= sealed}
        may = sorted((one.until, max(one.count - self._there[one.year], 0)) for one in said.values())
        # each place k from the end: what is missing beyond it is at most what may be missing beyond it
        floors = (0, *(until for until, _ in may))
        excess = max(self._missing(floor) - sum(count for until, count in may if until > floor) for floor in floors)
        return sum(one.count for one in said.values()), max(excess, 0)

    def _missing(self, after: int) -> int:
        """How many entries beyond a place miss their document."""
        runs = self._runs
        return sum(max(runs[at + 1] - max(runs[at], after + 1) + 1, 0) for at in range(0, len(runs), 2))
