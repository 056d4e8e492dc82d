"""Clocks: list them, count one as a dry run."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from app.db import Executor, Row, row
from app.errors import Fault, InvalidParameter
from app.rules.caller import Caller
from app.schemas.deadlines import ComputationQuery, DeadlineQuery
from app.security import Keys
from app.services import calendars, choosing, clock_starts, filters, visibility
from app.services.deadline_rows import COLUMNS, counted, source, spelled, visible
from app.services.paging import Keyset, Page, binding, without_place

_FILTERS: Final = {
    "status": "c.status = any(:status)",
    "kind": "c.kind = :kind",
    "code": "c.code = any(:code)",
    "task": "c.task_id = :task",
    "accountable": "t.accountable = any(:accountable)",
    "region": filters.WITHIN,
    "due_before": "c.due_at < :due_before",
    "due_after": "c.due_at >= :due_after",
}


async def list_deadlines(executor: Executor, caller: Caller, keys: Keys, query: DeadlineQuery) -> Page:
    """The clocks of the tasks that the caller sees whole, by their end; raises CursorMismatch."""
    given = query.model_dump(exclude={"sort", "limit", "cursor"}, exclude_none=True)
    bound = binding(caller, "deadlines", query.sort, given)
    keyset = Keyset("c.due_at", "c.id", query.sort.startswith("-"), bound, keys, query.limit, query.cursor)
    where = " and ".join([visible(caller), *(_FILTERS[name] for name in given)])
    values = {**given, **visibility.reach(caller)}
    choice = choosing.Choice("deadline", given, in_full=True, few=False, sort=query.sort)
    listed = choosing.Listed(source(caller), where, values)
    found = await choosing.page(executor, choice, listed, keyset, COLUMNS)
    return Page.of(*keyset.page(found, without_place))


async def compute(executor: Executor, query: ComputationQuery) -> dict[str, Any]:
    """When a limit of the law would run out, with the arithmetic; raises InvalidParameter."""
    rule = await row(executor, _RULE, code=query.code, region=query.region)
    if rule is None or rule["time_zone"] is None:
        raise _invalid("code" if rule is None else "region", "unknown", "There is none.", "Tidak ada.")
    if query.extended and rule["extension"] is None:
        raise _invalid("extended", "not_extendable", "The law knows no extension.", "Tidak dapat diperpanjang.")
    if (query.paused_from or query.resumed_at) and not rule["pausable"]:
        raise _invalid("paused_from", "not_pausable", "The law lets it not wait.", "Tidak dapat dihentikan sementara.")
    clock = {
        **{name: rule[name] for name in ("limit", "unit", "extension", "pausable", "time_zone")},
        "started_at": query.started_at.astimezone(UTC),
        "pauses": _pauses(query),
        "extended_at": query.started_at if query.extended else None,
    }
    shown = counted(clock, await calendars.current(executor))
    del shown["approaches_at"]
    basis = [*rule["legal_basis"], *(rule["extended_basis"] if query.extended else [])]
    told = ("code", "clock_starts_at", "responsible_role", "function", "verified", "limit", "unit", "extension")
    return {
        **{name: rule[name] for name in (*told, "time_zone")},
        "category": rule["category"] or None,
        "note": rule["note"] or None,
        "region": query.region,
        "started_at": clock["started_at"],
        "extended": query.extended,
        "pauses": clock["pauses"],
        "legal_basis": basis,
        **shown,
    }


_BASIS: Final = """array(select jsonb_build_object('instrument', i.id, 'article', b.article, 'title', i.title_id)
    from deadline_rule b join legal_instrument i on i.id = b.instrument_id where {})"""
_EXTENDING: Final = """b.code = (select x.other from deadline_relation x
    where x.code = z.code and x.relation = 'extended_by')"""
_RULE: Final = (
    f"select z.*, {_BASIS.format('b.code = z.code')} as legal_basis, {_BASIS.format(_EXTENDING)} as extended_basis"
    f" from ({clock_starts.RULES} where q.code = :code) z"
)


def _pauses(query: ComputationQuery) -> list[Row]:
    """The pause that was asked about; raises InvalidParameter for one that ends before it began."""
    if query.paused_from is None:
        if query.resumed_at is not None:
            raise _invalid("resumed_at", "missing", "Say paused_from as well.", "Sebutkan juga paused_from.")
        return []
    began, ended = query.paused_from, query.resumed_at
    if began < query.started_at or (ended is not None and ended < began):
        name = "paused_from" if began < query.started_at else "resumed_at"
        raise _invalid(name, "before", "It lies before what it follows.", "Waktu itu terlalu awal.")
    return [{"began": spelled(began), "ended": ended and spelled(ended)}]


def _invalid(parameter: str, code: str, en: str, id_: str) -> InvalidParameter:
    return InvalidParameter(errors=[Fault(code, en, id_, parameter=parameter)])
