"""The statements of contestant b: a task as its caller reads it, chosen by the readers that are kept with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from benchmarks.contest import hand_counts, hand_moves

from app.rules.caller import Caller
from app.sql import utc

_PLAIN: Final = (
    "reference", "title", "description", "category", "subcategory", "function", "variant", "subject_kind",
)  # fmt: skip
_NEXT_DEADLINE: Final = (
    "(select jsonb_build_object('id', c.id, 'kind', c.kind, 'code', c.code, 'status', c.status, 'due_at',"
    f" {utc('c.due_at')}, 'provisional', c.provisional, 'open', count(*) over ()) from deadline c"
    " where c.task_id = t.id and c.met_at is null and c.voided_at is null order by c.due_at, c.id limit 1)"
)
_OPEN_REFERRAL: Final = (
    "case when r.id is not null then jsonb_build_object('id', r.id, 'from_agency', r.from_agency, 'to_agency',"
    " r.to_agency, 'status', r.status, 'function', r.function, 'variant', r.variant, 'mandate', r.mandate,"
    f" 'effective_at', {utc('r.effective_at')}) end"
)
#: The members of a whole task in their order; instants are marked, for one of the two spells them itself.
_FULL: Final[tuple[tuple[str, str, bool], ...]] = (
    ("access", "'full'", False),
    ("id", "t.id::text", False),
    *((name, f"t.{name}", False) for name in _PLAIN),
    ("region", "t.region_code", False),
    ("polling_station", "t.polling_station", False),
    ("event_at", "t.event_at", True),
    ("due_at", "t.due_at", True),
    ("classification", "t.classification", False),
    ("priority", "t.priority", False),
    (
        "vulnerabilities",
        "array(select l.vulnerability_id::text from task_vulnerability l where l.task_id = t.id order by 1)",
        False,
    ),
    ("meeting", "t.meeting::text", False),
    ("decision", "t.decision::text", False),
    *((name, f"t.{name}", False) for name in ("external_reference", "logged_by", "holder", "accountable", "mandate")),
    *((name, f"t.{name}", False) for name in ("mandate_ended", "supporting", "informed", "status", "outcome", "note")),
    ("facts", "t.facts", False),
    ("open_referral", _OPEN_REFERRAL, False),
    ("next_deadline", _NEXT_DEADLINE, False),
    *((name, f"t.{name}", True) for name in ("effective_at", "recorded_at", "updated_at")),
    ("version", "t.version", False),
)
_SUMMARY: Final[tuple[tuple[str, str, bool], ...]] = (
    ("access", "'summary'", False),
    *(one for one in _FULL if one[0] in {"id", "reference", "category", "function", "region", "status", "priority"}),
    ("accountable", "t.accountable", False),
    ("due_at", "t.due_at", True),
)
FULL: Final = tuple(name for name, _, _ in _FULL)
SUMMARY: Final = tuple(name for name, _, _ in _SUMMARY)
_FILTERS: Final = {
    "status": "t.status = {0}",
    "category": "t.category = {0}",
    "region": "(t.region_code = {0} or t.region_code >= {0} || '.' and t.region_code < {0} || '/')",
}


def _columns(members: tuple[tuple[str, str, bool], ...]) -> str:
    return ", ".join(f"{column} as {name}" for name, column, _ in members)


def _document(members: tuple[tuple[str, str, bool], ...]) -> str:
    built = (f"'{name}', {utc(column) if instant else column}" for name, column, instant in members)
    return f"json_build_object({', '.join(built)})::text"


@dataclass(frozen=True)
class Known:
    """A caller that b was told of, and what it asks PostgreSQL for it."""

    caller: Caller

    @cached_property
    def whole(self) -> str:
        """SQL: the caller reads all of the task."""
        return self._named("t.readers", [])

    @cached_property
    def brief(self) -> str:
        """SQL: the caller reads the summary of the task."""
        return self._named("t.summary_readers", [f"coordinator:{place}" for place in self._places])

    @property
    def _places(self) -> tuple[str, ...]:
        return ("",) if self.caller.national else self.caller.regions

    def _named(self, column: str, more: list[str]) -> str:
        """SQL: the caller finds itself among these; where its office is recused, by its own name or its place."""
        own = [*self.caller.acts_for[:1], *(f"region:{place}" for place in self._places)]
        names = [*own, *self.caller.acts_for[1:], *(more if self.caller.coordinator else [])]
        recused = f"'{self.caller.office}' = any(t.recused_offices)"
        return f"({column} && {_array(names)} and (not {recused} or {column} && {_array(own)}))"

    @cached_property
    def cleared(self) -> str:
        """SQL: the class of the task is not above what the caller may read."""
        return "true" if self.caller.cleared else "t.classification <> 'rahasia'"

    @cached_property
    def seen(self) -> str:
        """SQL: the caller reads something of the task."""
        return f"({self.cleared} and ({self.whole} or {self.brief}))"

    @cached_property
    def single(self) -> str:
        """One task as a row; `access` says whether the caller reads all of it."""
        return (
            f"select {_columns(_FULL)}, {self.whole} as whole, {hand_moves.COLUMNS} from task t"
            f" left join referral r on r.id = t.open_referral where t.id = $1 and {self.seen}"
        )

    @cached_property
    def single_json(self) -> str:
        """The same as a document, with what the moves need beside it."""
        beside = "t.id::text, t.status, t.accountable, t.logged_by, t.supporting, t.informed, t.classification"
        return (
            f"select {self._either()} as document, {beside}, {self.whole} as whole,"
            f" {hand_moves.COLUMNS} from task t left join referral r on r.id = t.open_referral"
            f" where t.id = $1 and {self.seen}"
        )

    def _either(self) -> str:
        return f"case when {self.whole} then {_document(_FULL)} else {_document(_SUMMARY)} end"

    def listed(self, asked: Mapping[str, str], *, form: str) -> tuple[str, list[Any]]:
        """A page of the newest tasks (`form`: rows or json) and its values: filters and a plain cursor."""
        given = [name for name in _FILTERS if name in asked]
        values: list[Any] = [asked[name] for name in given]
        where = [self.seen, *(_FILTERS[name].format(f"${n}") for n, name in enumerate(given, start=1))]
        if "cursor" in asked:
            moment, last = base64.urlsafe_b64decode(asked["cursor"]).decode().split()
            where.append(f"(t.updated_at, t.id) < (${len(values) + 1}, ${len(values) + 2})")
            values += [datetime.fromisoformat(moment), UUID(last)]
        newest = f"select * from task t where {' and '.join(where)} order by t.updated_at desc, t.id desc limit 51"
        return self._page(newest, form), values

    def found(self, *, form: str) -> str:
        """The newest tasks with some words ($1)."""
        words = hand_counts.found_by_words(
            whole=f"{self.cleared} and {self.whole}", brief=f"{self.cleared} and {self.brief} and not {self.whole}"
        )
        return self._page(words, form)

    @cached_property
    def statistics(self) -> str:
        """How many tasks the caller sees, by each dimension."""
        return hand_counts.statistics(seen=self.seen, whole=self.whole)

    def _page(self, chosen: str, form: str) -> str:
        select = f"{_columns(_FULL)}, {self.whole} as whole" if form == "rows" else f"{self._either()} as document"
        return (
            f"select {select}, t.updated_at as _key, t.id as _id from ({chosen}) t"
            " left join referral r on r.id = t.open_referral order by t.updated_at desc, t.id desc limit 51"
        )


def cursor(found: list[Any]) -> str | None:
    """Where the next page begins, in plain sight; None at the end."""
    if len(found) <= 50:
        return None
    return base64.urlsafe_b64encode(f"{found[49]['_key'].isoformat()} {found[49]['_id']}".encode()).decode()


def _array(names: list[str]) -> str:
    return "array[" + ", ".join(f"'{name}'" for name in names) + "]::text[]"


def documents() -> str:
    """Every task as a document in the columns of Kinto's records, for COPY."""
    return (
        "select t.id::text, '/buckets/bench/collections/tasks', 'record', timestamp '2020-01-01' + interval '1 ms'"
        f" * row_number() over (order by t.updated_at, t.id), {_document(_FULL)}, false"
        " from task t left join referral r on r.id = t.open_referral"
    )
