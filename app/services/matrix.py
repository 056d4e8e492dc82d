"""The follow-up matrix (matriks tindak lanjut): the list of tasks from its first to its last, a step at a time.

Each step is a page of that very list, read in a transaction of its own, by whoever still holds the token: no connection
is held while somebody reads slowly, and what is revoked ends the file. The order is one that no change of a task moves,
so that none is missed or told twice; what a row says is as it was when its step was read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.db import Executor, Reader, Row, keys_of, rows, value
from app.errors import Fault, InvalidParameter
from app.rules.caller import Caller
from app.schemas.tasks import TaskQuery
from app.security import Keys
from app.services import callers, listing
from app.services.callers import Bearer
from app.services.replica import Replica

#: Tasks of one step.
STEP: Final = 500
#: A list longer than this is walked along the index of its order. Else the planner, which takes what a caller may see
#: for little, sorts all of it anew at each step; a shorter list is soon sorted, and found without a walk past others'.
_SHORT: Final = 5_000
_WALK: Final = "select set_config('enable_sort', 'off', true)"
#: What only a page has.
_OF_PAGES: Final = ("limit", "cursor")
_FIXED: Final = ("effective_at", "-effective_at")
#: Lists whose codes stand in a matrix.
_LISTED: Final = (
    "task_status",
    "priority",
    "function",
    "case_outcome",
    "classification",
    "referral_status",
    "clock_status",
)


@dataclass(frozen=True, slots=True)
class Step:
    """Some tasks of the list, the regions in which they lie, by code, where to go on, and whether near words found."""

    tasks: list[Row]
    regions: dict[str, Row]
    following: str | None
    nearly: bool | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Who wants what: the bearer of a token, the list that is asked for, and whether it is long."""

    bearer: Bearer
    query: TaskQuery
    long: bool


def whole(query: TaskQuery) -> TaskQuery:
    """The query of the whole list; raises InvalidParameter for what only pages have, and for an order that moves."""
    wrong = [_fault(name, "no_pages", *_NO_PAGES) for name in _OF_PAGES if name in query.model_fields_set]
    if query.sort is not None and query.sort not in _FIXED:
        wrong.append(_fault("sort", "moving_order", *_MOVING))
    if wrong:
        raise InvalidParameter(errors=wrong)
    fields = query.fields if query.fields is None else [*dict.fromkeys((*query.fields, "region"))]
    return query.model_copy(update={"sort": query.sort or "-effective_at", "limit": STEP, "fields": fields})


async def is_long(executor: Executor, caller: Caller, query: TaskQuery) -> bool:
    """Whether a list is to be walked: never one that an index of words finds.

    One of the past always is, as each look at the past costs more than the walk.
    """
    if query.q is not None or query.as_of is not None:
        return query.q is None
    source, where, values = listing.relation(caller, query)
    inner = f"select 1 as one {source} where {where} limit {_SHORT + 1}"
    return int(await value(executor, f"select count(*) from ({inner}) counted", **values)) > _SHORT


async def first(executor: Executor, caller: Caller, keys: Keys, query: TaskQuery, *, long: bool) -> Step:
    """The first step, in the transaction in which the caller has entered; `query` is that of `whole`."""
    if long:
        await value(executor, _WALK)
    tasks, following, nearly = await listing.find_tasks(executor, caller, keys, query, walked=long)
    found = await rows(
        executor,
        "select code, name, time_zone from region where code = any(:codes)",
        codes=list({task["region"] for task in tasks}),
    )
    return Step(tasks, {one["code"]: one for one in found}, following, nearly)


async def steps(replica: Replica, ask: Ask, begun: Step) -> AsyncIterator[Step]:
    """A step and all that follow it.

    Raises TokenInvalid, AgencySuspended, AddressNotAllowed, and CursorMismatch when the caller's clearance has changed.
    """
    step = begun
    yield step
    while step.following is not None:
        following = partial(_next, ask=ask, cursor=step.following)
        step = await replica.ask(partial(callers.identify_again, bearer=ask.bearer), following)
        yield step


async def _next(reader: Reader, caller: Caller, *, ask: Ask, cursor: str) -> Step:
    query = ask.query.model_copy(update={"cursor": cursor})
    return await first(reader, caller, keys_of(reader), query, long=ask.long)


async def meanings(executor: Executor) -> list[Row]:
    """The codes of a matrix with their labels, list by list: `list`, `code`, `label_id`, `label_en`."""
    return await rows(
        executor,
        "select enumeration as list, code, label_id, label_en from enumeration_value"
        " join unnest(cast(:lists as text[])) with ordinality l (name, place) on l.name = enumeration"
        " order by l.place, position",
        lists=[*_LISTED],
    ) + await rows(
        executor,
        "select 'category' as list, code, label_id, label_en from category order by coalesce(parent_code, code),"
        " parent_code nulls first, code",
    )


_NO_PAGES: Final = (
    "A file holds the whole list: leave it out, or ask for JSON, which comes in pages.",
    "Berkas memuat seluruh daftar: hilangkan, atau minta JSON, yang datang per halaman.",
)
_MOVING: Final = (
    "Changes move tasks in this order while the file is written; sort by effective_at or -effective_at.",
    "Urutan ini bergeser selagi berkas ditulis; urutkan menurut effective_at atau -effective_at.",
)


def _fault(parameter: str, code: str, en: str, id_: str) -> Fault:
    return Fault(code, en, id_, parameter=parameter)
