"""Regions and reference lists, and what every list by code shares."""

from __future__ import annotations

from typing import Any, Final

from app import db
from app.db import Executor, Row, one, row, rows
from app.errors import CursorMismatch, NotFound
from app.rules.caller import Caller
from app.security import Keys, open_cursor, seal_cursor
from app.services.paging import Page, binding, without_place
from app.services.versions import digest
from app.sql import limit_literal

#: Names that begin so; a prefix of each kind, and no pattern before it, lets the index of names find them.
_NAMED: Final = " or ".join(
    f"lower(name) like '{before}' || lower(:q)" for before in ("", "kota ", "kabupaten ", "kota administrasi ")
)
_REGION: Final = "code, name, level, parent_code as parent, time_zone, source"

#: Lists of `/v1/reference` that are tables of their own.
_TABLES: Final = {
    "category": """select code, parent_code as parent, label_id, label_en, description_en, default_classification,
        locally_distinctive, source from category order by coalesce(parent_code, code), parent_code nulls first,
        code""",
    "agency_type": """select code, label_id, label_en, levels, may_be_accountable, notes from agency_type
        order by code""",
    "closing_requirement": """select required_fact as code, category, function, label_id, label_en
        from closing_requirement order by category, function, required_fact""",
    "deadline_rule": """select code, category, function, clock_starts_at, "limit", unit, extension, responsible_role,
        instrument_id, article, source, verified, note from deadline_rule order by code""",
    "published_index": """select edition || '/' || level || '/' || coalesce(nullif(region_code, ''), 'ID') || '/'
        || dimension as code, edition, level, nullif(region_code, '') as region, dimension, score, category, low_below,
        high_from, source from published_index order by edition, region_code, level, dimension""",
    "holiday": """select h.day as code, h.name_id as label_id, h.kind, h.source, h.verified
        from (select holidays from calendar order by version desc limit 1) c cross join
            jsonb_to_recordset(c.holidays) as h(day date, name_id text, kind text, source text, verified boolean)
        order by h.day""",
    "clock_start": """select v.code, v.label_id, v.label_en, s.foreseen, s.note, array(
            select r.from_office || '>' || r.to_office from referral_clock_start r
            where r.clock_starts_at = s.code order by 1) as referrals
        from clock_start s join enumeration_value v on v.enumeration = 'clock_start' and v.code = s.code
        order by v.position""",
    "deadline_relation": "select code, relation, other, note from deadline_relation order by code, relation",
    "recusal": """select subject_kind as code, excluded_office, applies_to_function as function,
        nullif(successor, '') as successor, reason, source, valid_from, valid_to from recusal order by 1, 2, 3""",
}
_DESCRIPTIONS: Final = {
    "category": "Categories and sub-categories of vulnerability; an open list.",
    "agency_type": "Kinds of agency; a forum may never be accountable.",
    "closing_requirement": "Facts that a resolution must carry, by category and function.",
    "deadline_rule": "Statutory time limits.",
    "published_index": "Scores and thresholds of published indices of vulnerability, as published; never recomputed.",
    "holiday": "Days that are no working days, by the newest calendar.",
    "clock_start": "Events from which the law counts; `foreseen`: may be told before it happens; `referrals`: whose"
    " receipt is that event.",
    "deadline_relation": "Which time limit extends another, and during which one another stands still.",
    "recusal": "Bodies that may not own cases about their own people.",
}


async def page_by_code(
    executor: Executor,
    caller: Caller,
    keys: Keys,
    *,
    select: str,
    tail: str,
    key: str,
    name: str,
    conditions: dict[str, str],
    filters: dict[str, Any],
    limit: int,
    cursor: str | None,
) -> Page:
    """A page of a list that is ordered by a text key; raises CursorMismatch."""
    given = {one: asked for one, asked in filters.items() if asked is not None}
    bound = binding(caller, name, given)
    where = [conditions[one] for one in given]
    values = dict(given)
    if cursor is not None:
        position = open_cursor(keys, bound, cursor)
        if len(position) != 1:
            raise CursorMismatch
        where.append(f"{key} > :_after")
        values["_after"] = position[0]
    found = await db.rows(
        executor,
        f"select {select}, {key} as _key {tail} {'where ' + ' and '.join(where) if where else ''}"
        f" order by {key} limit {limit_literal(limit)}",
        **values,
    )
    following = seal_cursor(keys, bound, [found[limit - 1]["_key"]]) if len(found) > limit else None
    items = [without_place(found_row) for found_row in found[:limit]]
    return Page.of(items, following)


async def list_regions(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """Regions by code: the children of `parent`, of a `level`, or whose name begins with `q`."""
    if filters.get("q") is not None:
        filters["q"] = filters["q"].replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
    return await page_by_code(
        executor,
        caller,
        keys,
        select=_REGION,
        tail="from region",
        key="code",
        name="regions",
        conditions={"parent": "parent_code = :parent", "level": "level = :level", "q": f"({_NAMED})"},
        filters=filters,
        limit=limit,
        cursor=cursor,
    )


async def show_region(executor: Executor, code: str) -> Row:
    """A region; raises NotFound."""
    return await one(executor, f"select {_REGION} from region where code = :code", code=code)


async def list_references(executor: Executor) -> dict[str, Any]:
    """The names of all reference lists."""
    enumerations = await rows(executor, "select name, description_en from enumeration")
    names = {one["name"]: one["description_en"] for one in enumerations}
    names |= _DESCRIPTIONS
    return {
        "items": [
            {"list": name, "description_en": names[name], "href": f"/v1/reference/{name}"} for name in sorted(names)
        ]
    }


async def show_reference(executor: Executor, name: str) -> dict[str, Any]:
    """One reference list with its values; raises NotFound."""
    if name in _TABLES:
        description, values = _DESCRIPTIONS[name], await rows(executor, _TABLES[name])
    else:
        found = await row(
            executor,
            "select e.description_en, array(select jsonb_build_object('code', v.code, 'label_id', v.label_id,"
            " 'label_en', v.label_en) from enumeration_value v where v.enumeration = e.name order by v.position)"
            " as entries from enumeration e where e.name = :name",
            name=name,
        )
        if found is None:
            raise NotFound
        description, values = found["description_en"], found["entries"]
    return {"list": name, "description_en": description, "version": digest(db.encode(values)), "values": values}
