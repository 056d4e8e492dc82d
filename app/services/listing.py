"""The list of tasks: filters, keyset cursors, counts."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from app.db import Executor, Row
from app.rules.caller import Caller
from app.rules.vocabulary import Access, Role
from app.schemas.tasks import TaskFilters, TaskQuery
from app.security import Keys
from app.services import breadth, choosing, filters, past, searching, visibility
from app.services.paging import Keyset, Page, binding
from app.services.task_rows import FULL_FIELDS, SUMMARY_FIELDS, columns

_COUNT_LIMIT: Final = 10_000
_FAR: Final = "timestamptz '9999-01-01'"

#: SQL: the day of a task's event, where its region's clocks are in the zone {zone}.
EVENT_DAY: Final = "cast(coalesce(d.event_at, t.effective_at) at time zone {zone} as date)"
#: SQL: a stage `s` holds a day where its election is held; a stage without dates holds none.
DAY_HELD: Final = (
    "{day} between coalesce(s.starts_on, '-infinity') and coalesce(s.ends_on, 'infinity')"
    " and (s.starts_on is not null or s.ends_on is not null)"
)
_ZONE: Final = "(select z.time_zone from region z where z.code = t.region_code)"
_STAGE_HOLDS: Final = (
    "(e.region_code is null or e.region_code = any(t.region_path))"
    f" and {DAY_HELD.format(day=EVENT_DAY.format(zone=_ZONE))}"
)
#: Parameter of the task list -> condition.
TASK_FILTERS: Final = {
    "status": "t.status = any(:status)",
    "accountable": "t.accountable = any(:accountable)",
    "holder": "t.holder = any(:holder)",
    "logged_by": "t.logged_by = any(:logged_by)",
    "supporting": "d.supporting && :supporting",
    "referred_to": "r.to_agency = any(:referred_to)",
    "party": "(t.readers && :acts_for and :party = 'me')",
    "category": "t.category = any(:category)",
    "function": "t.function = any(:function)",
    "priority": "t.priority = any(:priority)",
    "classification": "t.classification = any(:classification)",
    "vulnerability": "exists (select from task_vulnerability l join vulnerability v on v.id = l.vulnerability_id"
    f" where l.task_id = t.id and v.id = :vulnerability and {visibility.register_visible('vulnerability', 'v')})",
    "meeting": "exists (select from meeting m where m.id = t.meeting and m.id = :meeting"
    f" and {visibility.register_visible('meeting', 'm')})",
    "stage": "(exists (select from stage s join election e on e.code = s.election_code where s.code = :stage"
    f" and {_STAGE_HOLDS})"
    " or exists (select from task_vulnerability l join vulnerability v on v.id = l.vulnerability_id"
    f" where l.task_id = t.id and v.stage = :stage and {visibility.register_visible('vulnerability', 'v')}))",
    "external_reference": "t.external_reference = :external_reference",
    "region": filters.WITHIN,
    "created_after": "t.effective_at >= :created_after",
    "created_before": "t.effective_at < :created_before",
    "updated_after": "t.updated_at >= :updated_after",
    "due_before": "t.due_at < :due_before",
    "due_after": "t.due_at >= :due_after",
    "deadline_status": "exists (select from deadline c where c.task_id = t.id and c.status = any(:deadline_status))",
    "as_of": past.THERE,
}
#: What a reader of the summary doesn't see can't be asked about either, or a filter would tell it.
_FULL_ONLY: Final = frozenset(TASK_FILTERS) - {
    "status",
    "accountable",
    "category",
    "function",
    "priority",
    "region",
    "due_before",
    "due_after",
    "as_of",
}
_TASK_SORTS: Final = {
    "updated_at": "t.updated_at",
    "effective_at": "t.effective_at",
    "recorded_at": "t.recorded_at",
    "due_at": f"coalesce(t.due_at, {_FAR})",
}


class Found(NamedTuple):
    """Some tasks of the list, the cursor of those that follow, and whether near words found them; None unsearched."""

    items: list[Row]
    following: str | None
    nearly: bool | None


async def list_tasks(executor: Executor, caller: Caller, keys: Keys, query: TaskQuery) -> Page:
    """The tasks a caller may see, filtered, now or as of an instant; raises CursorMismatch, InvalidParameter."""
    found = await find_tasks(executor, caller, keys, query)
    count = await count_tasks(executor, caller, query, nearly=found.nearly)
    return Page.of(found.items, found.following, count=count, matched=searching.MATCHED[found.nearly])


async def find_tasks(
    executor: Executor, caller: Caller, keys: Keys, query: TaskQuery, *, walked: bool = False
) -> Found:
    """The items of one page of that list, or of a list that is `walked` to its end.

    Raises CursorMismatch, InvalidParameter.
    """
    names = FULL_FIELDS if query.fields is None else tuple(dict.fromkeys(("access", *query.fields)))
    if query.as_of is not None:
        await past.require_askable(executor, query, query.as_of)
    await filters.require_known(executor, _given(query))
    keyset, (parts, where, values) = _keyset(caller, keys, query), _parts(caller, query)
    state = "" if query.as_of is None else ", p.state as _state"
    shown = f"{columns(names)}{state}"
    if query.q is None:
        nearly, listed = None, choosing.Listed(f"from task t {parts}", where, values)
        begun = query.cursor is not None and query.as_of is None and not walked
        choice = await _choice(executor, caller, query, begun=begun)
        found = await choosing.page(executor, choice, listed, keyset, shown)
    else:
        search = _search(query, parts, where, values)
        found, nearly = await searching.page(executor, search, keyset, shown)
    if query.as_of is not None:
        found = await past.as_then(executor, keys, found)
    kept = () if nearly is None else (nearly,)
    items, following = keyset.page(found, lambda task: _shown(task, query.fields), *kept)
    return Found(items, following, nearly)


async def count_tasks(
    executor: Executor, caller: Caller, query: TaskQuery, *, nearly: bool | None
) -> dict[str, Any] | None:
    """How many tasks that list holds; None when the query does not ask.

    `exact` counts all; `estimate` stops at 10,000 and then says `at_least`.
    """
    if query.count == "none":
        return None
    most = None if query.count == "exact" else _COUNT_LIMIT
    if nearly is None:
        source, where, values = _to_count(caller, query)
        choice = await _choice(executor, caller, query)
        listed = choosing.Listed(source, where, values)
        number = await choosing.count(executor, choice, listed, id="t.id", most=most)
    else:
        search = _search(query, *_parts(caller, query))
        number = await searching.count(executor, search, nearly=nearly, most=most)
    return {"value": number, "relation": "at_least" if number == most else "exact"}


def relation(caller: Caller, asked: TaskFilters) -> tuple[str, str, dict[str, Any]]:
    """SQL: where the tasks `t` that a caller may see come from, which of them are asked for, and the parameters."""
    parts, where, values = _parts(caller, asked)
    if asked.q is None:
        return f"from task t {parts}", where, values
    search = _search(asked, parts, where, values)
    found, given = searching.relation(search)
    return f"from {found} join {search.source}", search.where, given


async def counted(executor: Executor, caller: Caller, asked: TaskFilters) -> tuple[str, str, dict[str, Any]]:
    """The same to count them by: of each task no more is read than counts need, and where few are asked for, these."""
    if asked.q is not None:
        return relation(caller, asked)  # what was found is looked up one by one
    source, where, values = _to_count(caller, asked)
    choice = _chosen(caller, asked, few=False)
    chosen = await choosing.chosen_ids(executor, choice) if choice.asked else None
    if chosen is None:
        return source, where, values
    return source, f"{where} and t.id = any(:chosen)", {**values, "chosen": chosen}


def _keyset(caller: Caller, keys: Keys, query: TaskQuery) -> Keyset:
    return Keyset(
        _TASK_SORTS[query.order.lstrip("-")],
        "t.id",
        query.order.startswith("-"),
        binding(caller, "tasks", query.order, _asked(query)),
        keys,
        query.limit,
        query.cursor,
    )


async def _choice(
    executor: Executor, caller: Caller, query: TaskQuery, *, begun: bool = False
) -> choosing.Choice | None:
    """How the tasks of a list are chosen.

    None where nothing is asked for and the caller sees much: the order of all is as good, but for a page after one that
    has `begun` it, which PostgreSQL would plan anew for each place.
    """
    few = not await breadth.sees_many(executor, caller)
    choice = _chosen(caller, query, few=few)
    return choice if choice.asked or few or begun else None


def _chosen(caller: Caller, asked: TaskFilters, *, few: bool) -> choosing.Choice:
    """The filters that tasks are chosen by, of the past those by what never changes."""
    given = _given(asked)
    names = TASK_FILTERS.keys() - {"as_of"} - (set() if asked.as_of is None else past.FILTERS.keys())
    in_full = caller.role is Role.EXPERT or bool(_FULL_ONLY & given.keys())
    chosen = {name: one for name, one in given.items() if name in names}
    return choosing.Choice("task", chosen, in_full=in_full, few=few, sort=_order(asked))


def _order(asked: TaskFilters) -> str:
    return asked.order if isinstance(asked, TaskQuery) else "-effective_at"


def _parts(caller: Caller, asked: TaskFilters) -> tuple[str, str, dict[str, Any]]:
    """SQL: what belongs to the tasks `t`, the condition of all filters but the search, and the parameters of both."""
    given, parts = _given(asked), visibility.task_parts(caller)
    where, values = _task_where(caller, given), {**given, **visibility.reach(caller)}
    return parts if asked.as_of is None else f"{parts} {past.STATE}", where, values


def _to_count(caller: Caller, asked: TaskFilters) -> tuple[str, str, dict[str, Any]]:
    """SQL: tasks `t` with what belongs to them and no more of either than counts need, likewise."""
    _, where, values = _parts(caller, asked)
    source = f"from task_counted t {visibility.counted_parts(caller)}"
    return source if asked.as_of is None else f"{source} {past.STATE}", where, values


def _asked(asked: TaskFilters) -> dict[str, Any]:
    return asked.model_dump(include={*TaskFilters.model_fields}, exclude_none=True)


def _given(asked: TaskFilters) -> dict[str, Any]:
    """All filters but the search."""
    return {name: one for name, one in _asked(asked).items() if name != "q"}


def _search(query: TaskFilters, parts: str, where: str, values: dict[str, Any]) -> searching.Search:
    """Full readers find a task by all its words, readers of the summary by its reference alone."""
    then = query.as_of is not None
    given = _given(query).keys() - {"region"}
    return searching.Search(
        "task",
        query.q or "",
        f"task t on t.id = f.record {parts}",
        f"(w.whole or not f.whole) and {where}",
        values,
        _order(query),
        filtered=bool(given - (set() if then else {"status"})),
        within=query.region,
        in_status=None if then or query.status is None else [*query.status],
    )


def _task_where(caller: Caller, given: dict[str, Any]) -> str:
    asked = TASK_FILTERS if "as_of" not in given else {**TASK_FILTERS, **past.FILTERS}
    conditions = [visibility.task_visible(caller), *(asked[name] for name in given)]
    if _FULL_ONLY & given.keys():
        conditions.append("w.whole")
    return " and ".join(conditions)


def _shown(task: Row, fields: list[Any] | None) -> Row:
    names = FULL_FIELDS if task["access"] == Access.FULL else SUMMARY_FIELDS
    return {name: task[name] for name in names if fields is None or name in fields}
