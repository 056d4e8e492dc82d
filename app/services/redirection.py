"""Redirection: an office whose mandate has ended accepts nothing more; the law hands its open referrals on.

The referral is withdrawn by law and sent anew to whoever is competent, or goes back to its sender where nobody is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from uuid_utils.compat import uuid7

from app import db
from app.db import Row, Writer, rows
from app.rules import succession, workflow
from app.rules.caller import Caller
from app.rules.succession import Because, Heir
from app.rules.vocabulary import Action, ClosureStatus, ReferralStatus, Status
from app.services import law, visibility
from app.services.escalations import escalated
from app.services.referral_moves import send, settle
from app.services.succession import EDITION, question

#: How many referrals are redirected in one transaction.
FULL: Final = 50

_WAITING: Final = (
    f"r.status in ({', '.join(repr(str(one)) for one in sorted(workflow.OPEN_REFERRAL))})"
    " and r.mandate_checked < :edition"
)
# What was told late, of a mandate that had ended already, waits a day for an answer that is told as late. What was
# sent while the row still stood, before it was closed backwards, was not told late.
_DUE: Final = f"""
    select r.id, r.task_id as task, r.from_agency, r.to_agency, r.status, r.function, r.variant, r.mandate,
        r.retain_access, r.effective_at, r.recorded_at, r.version,
        case when m.resolve_at <> 'event' then m.valid_to end as mandate_to, a.valid_to as agency_to
    from referral r join mandate m on m.id = r.mandate join agency a on a.code = r.to_agency
    where {_WAITING} and (m.valid_to <= :today and m.resolve_at <> 'event' or a.valid_to <= :today)
        and (r.recorded_at + make_interval(secs => {succession.TOLD_LATE.total_seconds():.0f}) <= now()
            or r.recorded_at < least(case when m.resolve_at <> 'event' then m.valid_to end, a.valid_to)
                at time zone 'Asia/Jakarta'
            or m.valid_to <= :today and r.recorded_at < (select max(c.answered_at) from mandate_closure c
                where c.mandate = m.id and c.status = '{ClosureStatus.CONFIRMED}'))
    order by r.id limit {FULL} for update of r skip locked
"""
_TASKS: Final = """
    select t.id, t.category, t.subcategory, t.function, t.variant, t.subject_kind, t.region_code, t.status, t.version,
        coalesce(t.event_at, t.effective_at) as event_at, t.last_effective_at,
        array(select l.vulnerability_id from task_vulnerability l where l.task_id = t.id) as vulnerabilities
    from task t where t.id = any(:ids) for update of t skip locked
"""


async def redirect(writer: Writer, *, by: Caller) -> int:
    """Redirect by law what waits for an answer of an office without mandate: one batch; returns how many it took up."""
    edition = await db.one(writer, EDITION)
    due = await rows(writer, _DUE, today=edition["today"], edition=edition["edition"])
    held = {one["id"]: one for one in await rows(writer, _TASKS, ids=[one["task"] for one in due])} if due else {}
    for referral in due:
        if referral["task"] in held:
            await _redirect(writer, by, referral, held[referral["task"]], edition)
    return len(due)


async def _redirect(writer: Writer, by: Caller, referral: Row, task: Row, edition: Row) -> None:
    end = succession.ended(edition["now"], referral["mandate_to"], referral["agency_to"])
    if end is None:
        raise AssertionError(referral)
    since, because = end
    asked = question(
        {**task, "function": referral["function"], "variant": referral["variant"]},
        at=max(since, task["last_effective_at"]),
    )
    heir = succession.heir(await law.load(writer, asked, function=asked.function), asked, until=edition["now"])
    if heir is not None and heir.agency == referral["to_agency"]:  # it accepts under the row that followed
        checked = "update referral set mandate_checked = :edition where id = :id returning id"
        await rows(writer, checked, id=referral["id"], edition=edition["edition"])
        return
    at = (heir.at if heir else asked.at).astimezone(UTC)
    status = await _withdraw(writer, by, referral, at, because)
    if heir is not None and heir.agency != referral["from_agency"]:
        await _send(writer, by, referral, {**task, "status": status, "version": task["version"] + 1}, heir, because)
    await writer.flush()
    await visibility.keep_readers(writer, task["id"])


async def _withdraw(writer: Writer, by: Caller, referral: Row, at: datetime, because: Because) -> Status:
    move = workflow.referral_move(Action.WITHDRAW, ReferralStatus(referral["status"]))
    if move is None:
        raise AssertionError(referral)
    return await settle(writer, by, referral, move, at, {"answered_at": at}, {"because": because})


async def _send(writer: Writer, by: Caller, old: Row, task: Row, heir: Heir, because: Because) -> None:
    """Send what was withdrawn to the successor, in the name of the same sender."""
    move = workflow.transition(Action.REFER, task["status"])
    if move is None:
        raise AssertionError(task)
    referral = {
        "id": uuid7(),
        "task_id": task["id"],
        "from_agency": old["from_agency"],
        "to_agency": heir.agency,
        "status": ReferralStatus.SENT,
        "function": old["function"],
        "variant": old["variant"],
        "mandate": heir.mandate,
        "supporting": list(heir.answer.supporting),
        "informed": list(await escalated(writer, heir.answer, task["vulnerabilities"])),
        "retain_access": old["retain_access"],
        "effective_at": heir.at.astimezone(UTC),
    }
    await send(writer, by, task, referral, move, {"because": because})
