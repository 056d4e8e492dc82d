"""When a year of facts may be retired: what stands in the way of it, as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with the facts of a year, in the year `this`, where `keep` full years stay online (None: all).

    `oldest` is the first year that still has facts, `unplaced` how many of the year have no place in the log, `halted`
    whether a head is lost, `waiting` the webhooks that have not heard all of it, `apart` whether its facts have a table
    of their own.
    """

    year: int
    this: int
    keep: int | None
    facts: int
    oldest: int
    unplaced: int
    halted: bool
    waiting: Sequence[str]
    apart: bool

    @property
    def free_from(self) -> int:
        """The year from whose first day on it may go."""
        return self.year + (self.keep or 0) + 1


#: Each with the sentence that says it; the first one that stands in the way is told.
HINDRANCES: Final[Sequence[tuple[Callable[[Standing], bool], str]]] = (
    (lambda one: one.keep is None, "SIMPUL_RETENTION_YEARS is not set: all facts are kept, for ever."),
    (
        lambda one: one.this < one.free_from,
        "{one.keep} full years stay online: {one.year} may be retired from 1 January {one.free_from} (UTC) on.",
    ),
    (lambda one: one.facts == 0, "There are no facts of {one.year}."),
    (lambda one: one.oldest < one.year, "There are facts of {one.oldest}: the oldest year goes first."),
    (lambda one: one.unplaced > 0, "Facts of {one.year} have no place in the log yet: {one.unplaced}."),
    (lambda one: one.halted, "The log stands still, for a head of it is lost: `simpul log resume` comes first."),
    (
        lambda one: len(one.waiting) > 0,
        "Webhooks have not heard all of {one.year} yet: {waiting}. Wait for them, make them active, or delete them.",
    ),
    (
        lambda one: not one.apart,
        "The facts of {one.year} have no table of their own: they came before their year was opened.",
    ),
)


def hindrance(standing: Standing) -> str | None:
    """What stands in the way of retiring the year, in a sentence; None: nothing does."""
    for holds, sentence in HINDRANCES:
        if holds(standing):
            return sentence.format(one=standing, waiting=", ".join(standing.waiting))
    return None


def span(year: int) -> tuple[UUID, UUID]:
    """The first id (UUIDv7) of a year (UTC) and the first one after it."""
    return _first_id(year), _first_id(year + 1)


def year_of(id: UUID) -> int:
    """The year (UTC) of an id (UUIDv7)."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC).year


def _first_id(year: int) -> UUID:
    return UUID(int=int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) << 80)
