"""Who is informed beyond the mandate, because a matter has reached far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.db import Executor, rows
from app.rules import mandates, regions
from app.rules.law import Resolution

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
    if not vulnerabilities:
        return answer.informed
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
