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
        direction, sign = ("desc", "<") if self.descending else ("asc", ">")
        tail = f"order by {self.key} {direction}, {self.id} {direction} limit {db.limit_literal(self.limit)}"
        if self.cursor is None:
            return "true", tail, {}
        try:
            moment, last = open_cursor(self.keys, self.binding, self.cursor)
            after = {"_key": datetime.fromisoformat(moment), "_id": UUID(last)}
        except (ValueError, TypeError) as cause:
            raise CursorMismatch from cause
        return f"({self.key}, {self.id}) {sign} (:_key, :_id)", tail, after

    def page(self, found: list[Row], shape: Callable[[Row], Row]) -> tuple[list[Row], str | None]:
        """The items of this page and the cursor of the next, or None."""
        more, kept = len(found) > self.limit, found[: self.limit]
        following = None
        if more:
            last = kept[-1]
            following = seal_cursor(self.keys, self.binding, [last["_key"].isoformat(), str(last["_id"])])
        return [shape(one) for one in kept], following


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
    """The page of `columns` from `source` where all conditions hold (SQL), with their values; raises CursorMismatch."""
    after, tail, place = keyset.clauses()
    found = await db.rows(
        executor,
        f"select {columns}, {keyset.key} as _key, {keyset.id} as _id from {source}"
        f" where {' and '.join([*where, after])} {tail}",
        **given,
        **place,
    )
    items, following = keyset.page(found, without_place)
    return Page.of(items, following)
