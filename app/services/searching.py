"""Searches: what `app.find` gives by its index, read again under every rule of sight, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app import db
from app.db import Executor, Row
from app.rules.words import sought
from app.services.paging import Keyset
from app.sql import limit_literal

#: A first look among as many of the found records as a page holds, or among more of them where filters will drop some.
_MORE_WHERE_FILTERED: Final = 8

#: What a list says of how it was found: not at all, by the words themselves, by near ones.
MATCHED: Final = {None: None, False: "exactly", True: "nearly"}

_FOUND: Final = (
    "app.find(:_noun, cast(:_words as text[]), cast(:_phrases as text[]), cast(:_without as text[]),"
    " cast(:_nearly as boolean), cast(:_sort as text), cast(:_place as timestamptz), cast(:_place_id as uuid),"
    " cast(:_within as text), cast(:_in_status as text[]), cast(:_most as integer))"
)


@dataclass(frozen=True, slots=True)
class Search:
    """A search for records of a kind: in which order, and what of its filters the index may know.

    `source` and `where` name the record `t` and what `app.find` says of it, `f`; `source` follows `f join`.
    """

    noun: str
    text: str
    source: str
    where: str
    values: dict[str, Any]
    sort: str
    filtered: bool
    within: str | None = None
    in_status: list[str] | None = None


async def page(executor: Executor, search: Search, keyset: Keyset, columns: str) -> tuple[list[Row], bool]:
    """The rows of a page and one more if there are more, and whether near words found them; raises CursorMismatch.

    The index gives the next records in the order of the list, so most pages take one look; one that filters leave short
    takes a second, at all that the index has.
    """
    condition, tail, after = keyset.clauses()
    place = keyset.place()
    nearly = place[2] if place else None
    literal = limit_literal(keyset.limit)
    most: int | None = literal * (_MORE_WHERE_FILTERED if search.filtered else 1)
    statement = (
        f"with f as materialized (select * from {_FOUND})"
        " select n.candidates as _candidates, n.near as _near, x.* from"
        " (select count(*) as candidates, bool_or(near) as near from f) n left join"
        f" (select {keyset.select(columns)} from f join {search.source} where {search.where} and {condition} {tail}) x"
        f" on true order by {keyset.order('x._key', 'x._id')}"
    )
    while True:
        found = await db.rows(executor, statement, **_asked(search, place, nearly=nearly, most=most), **after)
        candidates, near = found[0]["_candidates"], found[0]["_near"] or False
        kept = [one for one in found if one["_id"] is not None]
        if most is None or candidates < most or len(kept) > keyset.limit:
            return kept, near
        most, nearly = None, near


async def count(executor: Executor, search: Search, *, nearly: bool, most: int | None) -> int:
    """How many records there are in all, at most so many.

    Where it is enough to know of so many, the index is asked for no more, and for all only if some of them are not
    shown.
    """
    limit = "" if most is None else f"limit {most}"
    statement = (
        f"with f as materialized (select * from {_FOUND}) select (select count(*) from f) as candidates, (select"
        f" count(*) from (select 1 as one from f join {search.source} where {search.where} {limit}) x) as counted"
    )
    found: Row = {}
    for enough in dict.fromkeys((most, None)):
        found = await db.one(executor, statement, **_asked(search, None, nearly=nearly, most=enough))
        if enough is None or found["candidates"] < enough or found["counted"] == most:
            break
    return int(found["counted"])


def relation(search: Search) -> tuple[str, dict[str, Any]]:
    """SQL: all that the index has for a search, as `f`, and the parameters of the whole statement."""
    return f"(select * from {_FOUND}) f", _asked(search, None, nearly=None, most=None)


def _asked(search: Search, place: list[Any] | None, *, nearly: bool | None, most: int | None) -> dict[str, Any]:
    of = sought(search.text)
    return {
        **search.values,
        "_noun": search.noun,
        "_words": list(of.words),
        "_phrases": list(of.phrases),
        "_without": list(of.without),
        "_nearly": nearly,
        "_sort": search.sort,
        "_place": place[0] if place else None,
        "_place_id": place[1] if place else None,
        "_within": search.within,
        "_in_status": search.in_status,
        "_most": most,
    }
