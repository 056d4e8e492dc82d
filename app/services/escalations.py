"""Who is informed beyond the mandate, because a matter has reached far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.db import Executor, rows
from app.rules import mandates, regions
from app.rules.law import Resolution

_MANDATES: Final = """
    select m.*, array(
        select jsonb_build_object('instrument', split_part(b.ref, '#', 1),
            'article', nullif(split_part(b.ref, '#', 2), ''), 'title', i.title_id, 'year', i.year,
            'in_force_from', i.in_force_from, 'in_force_to', i.in_force_to)
        from unnest(m.legal_basis) with ordinality as b(ref, place)
        join legal_instrument i on i.id = split_part(b.ref, '#', 1) order by b.place) as basis
    from mandate m where m.category = :category and (cast(:function as text) is null or m.function = :function)
    order by m.id
"""
_RECUSALS: Final = "select * from recusal where subject_kind in ('any', :subject_kind)"
_HOLDERS: Final = """
    select a.code, a.office || '@' || a.tier as office, a.regions, a.valid_from, a.valid_to, y.may_be_accountable
    from agency a join agency_type y on y.code = a.type
    where a.code = :code or a.code in (
        select r.agency from unnest(cast(:offices as text[])) o(name) join agency_region r
            on r.office = split_part(o.name, '@', 1) and r.tier = split_part(o.name, '@', 2)
            and r.region_code = any(:path))
"""


_ESCALATED: Final = """
    select distinct a.code from vulnerability v join escalation e on e.reach_level = v.reach_level
    join agency_region h on h.office || '@' || h.tier = e.informed_office and h.region_code = any(:path)
        and daterange(h.valid_from, h.valid_to) @> cast(:day as date)
    join lateral (select h.agency as code union select m.agency from member m where m.body = h.agency) a on true
    join agency b on b.code = a.code
    where v.id = any(:vulnerabilities) and not exists (
        select from recusal u where u.subject_kind = :subject_kind and u.excluded_office = b.office || '@' || b.tier)
    order by a.code
"""


async def escalated(executor: Executor, answer: Resolution, vulnerabilities: Sequence[UUID]) -> tuple[str, ...]:
    """Who is informed beyond the mandate because a vulnerability of the matter has reached so far."""
    found = await rows(
        executor,
        _ESCALATED,
        vulnerabilities=list(vulnerabilities),
        path=["", *regions.path(answer.question.region)],
        day=mandates.day_of(answer.question.at),
        subject_kind=answer.question.subject_kind,
    )
    parties = {answer.accountable, *answer.supporting}
    return tuple(dict.fromkeys([*answer.informed, *(row["code"] for row in found if row["code"] not in parties)]))
