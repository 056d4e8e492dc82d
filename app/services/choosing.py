"""Pages of what `app.comes_next` chooses by readers, filters and order, read again under every rule of sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row
from app.services.paging import Keyset
from app.sql import limit_literal

#: Where so many are chosen as a page holds and some of them are not shown, so many times as many are chosen.
_MORE: Final = 32
#: So many are counted as they are chosen; more, as they are read.
_COUNTED: Final = 10_000
_CHOSEN: Final = (
    "select c.record from app.comes_next(:_noun, cast(:_asked as jsonb), cast(:_in_full as boolean),"
    " cast(:_few as boolean), cast(:_sort as text), cast(:_place as timestamptz), cast(:_place_id as uuid),"
    " cast(:_most as integer)) c"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen among: tasks or clocks, by which filters, in which order.

    `asked` are filters by name, those that the database does not know decide nothing; `in_full` leaves out what is
    shown in summary; `few` says that the caller sees few of all.
    """

    noun: str
    asked: Mapping[str, Any]
    in_full: bool
    few: bool
    sort: str

    def parameters(self, place: list[Any] | None, most: int | None) -> dict[str, Any]:
        """Of the SQL of what is chosen: from a place in the order, at most so many."""
        return {
            "_noun": self.noun,
            "_asked": db.encode(self.asked).decode(),
            "_in_full": self.in_full,
            "_few": self.few,
            "_sort": self.sort,
            "_place": place[0] if place else None,
            "_place_id": place[1] if place else None,
            "_most": most,
        }


@dataclass(frozen=True, slots=True)
class Listed:
    """The list that is chosen for: SQL of its `source` (begins with `from`) and `where`, and the parameters of both."""

    source: str
    where: str
    given: Mapping[str, Any]

    def number(self, most: int | None) -> str:
        """The statement of how many there are, at most so many."""
        limit = "" if most is None else f"limit {most}"
        return f"select count(*) from (select 1 as one {self.source} where {self.where} {limit}) x"

    def among(self, id: str) -> Listed:
        """Those of them that are chosen."""
        return replace(self, where=f"{id} = any(array(select record from f)) and {self.where}")


async def page(executor: Executor, choice: Choice | None, listed: Listed, keyset: Keyset, columns: str) -> list[Row]:
    """The rows of a page, with `_key` and `_id`, and one more if there are more; raises CursorMismatch.

    Nearly all pages take one look: what is chosen is shown, but where a filter can't be chosen by, or somebody's sight
    has just changed. Without a choice it is the order of all that is walked, and so it is in the end.
    """
    if choice is not None:
        among = listed.among(keyset.id)
        chosen, values = keyset.statement(columns, among.source, among.where, among.given)
        statement = (
            f"with f as materialized ({_CHOSEN}) select n.candidates as _candidates, x.* from"
            f" (select count(*) as candidates from f) n left join ({chosen}) x on true"
            f" order by {keyset.order('x._key', 'x._id')}"
        )
        literal = limit_literal(keyset.limit)
        for most in (literal, literal * _MORE):
            found = await db.rows(executor, statement, **values, **choice.parameters(keyset.place(), most))
            kept = [one for one in found if one["_id"] is not None]
            if found[0]["_candidates"] < most or len(kept) > keyset.limit:
                return kept
    statement, values = keyset.statement(columns, listed.source, listed.where, listed.given)
    return await db.rows(executor, statement, **values)


async def count(executor: Executor, choice: Choice | None, listed: Listed, *, id: str, most: int | None) -> int:
    """How many there are in all, at most so many; `id` is that of the list."""
    if choice is not None:
        statement = (
            f"with f as materialized ({_CHOSEN})"
            f" select (select count(*) from f) as candidates, ({listed.among(id).number(most)}) as counted"
        )
        found = await db.one(executor, statement, **listed.given, **choice.parameters(None, _COUNTED))
        if found["candidates"] < _COUNTED or found["counted"] == most:
            return int(found["counted"])
    return int(await db.value(executor, listed.number(most), **listed.given))


async def chosen_ids(executor: Executor, choice: Choice) -> list[UUID] | None:
    """The ids of all that is chosen, in any order; None where they are many."""
    found: list[UUID] = await db.value(executor, f"select array({_CHOSEN})", **choice.parameters(None, _COUNTED))
    return found if len(found) < _COUNTED else None
