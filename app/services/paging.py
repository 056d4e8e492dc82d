"""Keyset pages: a total order, a signed place in it, bound to the list, its filters and the caller."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app import db
from app.db import Executor, Row
from app.errors import CursorMismatch
from app.rules.caller import Caller
from app.security import Keys, open_cursor, seal_cursor
from app.sql import limit_literal


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list as it goes out, and the cursor of the next one, or None."""

    body: bytes
    next_cursor: str | None

    @classmethod
    def of(cls, items: list[Row], next_cursor: str | None, **more: Any) -> Page:
        """The page of some items; `more` are further members."""
        return cls(db.encode({"items": items, "next_cursor": next_cursor, **more}), next_cursor)


@dataclass(frozen=True, slots=True)
class Keyset:
    """A total order (`key`, then `id`) and where to go on."""

    key: str
    id: str
    descending: bool
    binding: str
    keys: Keys
    limit: int
    cursor: str | None

    def clauses(self) -> tuple[str, str, dict[str, Any]]:
        """The condition that starts after the cursor, the order with its limit, parameters; raises CursorMismatch."""
        sign = "<" if self.descending else ">"
        tail = f"order by {self.order(self.key, self.id)} limit {limit_literal(self.limit)}"
        place = self.place()
        if place is None:
            return "true", tail, {}
        return f"({self.key}, {self.id}) {sign} (:_key, :_id)", tail, {"_key": place[0], "_id": place[1]}

    def select(self, columns: str) -> str:
        """The select list of these columns, with `_key` and `_id` that tell the place of a row."""
        return f"{columns}, {self.key} as _key, {self.id} as _id"

    def statement(self, columns: str, source: str, where: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The statement of a page of `source` (SQL that begins with `from`), its parameters; raises CursorMismatch."""
        after, tail, place = self.clauses()
        return f"select {self.select(columns)} {source} where {where} and {after} {tail}", {**given, **place}

    def order(self, key: str, id: str) -> str:
        """The total order in terms of these columns."""
        direction = "desc" if self.descending else "asc"
        return f"{key} {direction}, {id} {direction}"

    def place(self) -> list[Any] | None:
        """Where to go on: key, id, and what else the cursor keeps; None at the start. Raises CursorMismatch."""
        if self.cursor is None:
            return None
        try:
            moment, last, *kept = open_cursor(self.keys, self.binding, self.cursor)
            return [datetime.fromisoformat(moment), UUID(last), *kept]
        except (ValueError, TypeError) as cause:
            raise CursorMismatch from cause

    def page(self, found: list[Row], shape: Callable[[Row], Row], *kept: Any) -> tuple[list[Row], str | None]:
        """The items of this page and the cursor of the next, which keeps what is given, or None."""
        more, shown = len(found) > self.limit, found[: self.limit]
        following = None
        if more:
            last = shown[-1]
            following = seal_cursor(self.keys, self.binding, [last["_key"].isoformat(), str(last["_id"]), *kept])
        return [shape(one) for one in shown], following


def binding(caller: Caller, *parts: Any) -> str:
    """What a cursor is bound to: the agency, its role and clearance, the list and its filters."""
    text = json.dumps([caller.agency, caller.role, caller.cleared, *parts], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def without_place(found: Row) -> Row:
    """A row without the columns that only order it."""
    return {name: content for name, content in found.items() if not name.startswith("_")}


async def read_page(
    executor: Executor, keyset: Keyset, *, columns: str, source: str, where: Sequence[str], given: Mapping[str, Any]
) -> Page:
    """The page of `columns`, `source` (SQL that begins with `from`), where all hold; raises CursorMismatch."""
    statement, values = keyset.statement(columns, source, " and ".join(where) or "true", given)
    return Page.of(*keyset.page(await db.rows(executor, statement, **values), without_place))
