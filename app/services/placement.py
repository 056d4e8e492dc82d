"""Placing a task with the competent agency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Writer, insert, rows
from app.errors import Fault, ValidationFailed
from app.models import Referral
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.law import Outcome, Resolution
from app.rules.vocabulary import ReferralStatus, Status
from app.services import assignments, log
from app.services.referral_moves import waiting


@dataclass(frozen=True, slots=True)
class Placed:
    """What placing asks of a task."""

    id: UUID
    logged_by: str
    function: str
    variant: str | None
    chosen_supporting: list[str] | None


async def place(
    writer: Writer, caller: Caller, task: Placed, answer: Resolution, *, at: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a task to the competent agency: accepted at once when that is the logger, else by a referral.

    Returns the facts for the event, and what it set of the task. Raises ValidationFailed if chosen supporters are not
    the mandate's.
    """
    if answer.mandate is None or answer.accountable is None or answer.outcome is not Outcome.RESOLVED:
        raise AssertionError(answer)
    supporting = _supporting(task.chosen_supporting, answer)
    shown: dict[str, Any] = {}
    party = assignments.Party(answer.accountable, answer.mandate.id, supporting, answer.informed)
    if answer.accountable == task.logged_by:
        await assignments.hand_over(writer, task.id, party, at=at)
        changed: dict[str, Any] = {
            "status": Status.ACCEPTED,
            "accountable": party.agency,
            "holder": party.agency,
            "mandate": party.mandate,
            "accepted_at": at,
        }
    else:
        referral = Referral(
            task_id=task.id,
            from_agency=task.logged_by,
            to_agency=answer.accountable,
            status=ReferralStatus.SENT,
            function=task.function,
            variant=task.variant,
            mandate=answer.mandate.id,
            supporting=list(supporting),
            informed=list(answer.informed),
            effective_at=at,
        )
        shown = {"open_referral": waiting(referral.model_dump())}
        await insert(writer, referral)
        await assignments.support(writer, task.id, party, at=at)
        changed = {"status": Status.ASSIGNED, "open_referral": referral.id}
        await log.record(
            writer,
            caller,
            EventKind.REFERRAL_SENT,
            on="referral",
            id=referral.id,
            task_id=task.id,
            effective_at=at,
            versions=(None, 1),
            payload={"to_agency": referral.to_agency, "mandate": referral.mandate},
        )
    values = {**changed, "supporting": list(supporting), "informed": list(answer.informed)}
    await rows(
        writer,
        f"update task set {', '.join(f'{name} = :{name}' for name in values)} where id = :id",
        **values,
        id=task.id,
    )
    said = {"to": changed["status"], "mandate": answer.mandate.id, "competent": answer.accountable}
    return said, {**values, **shown}


def _supporting(chosen: list[str] | None, answer: Resolution) -> tuple[str, ...]:
    if chosen is None:
        return answer.supporting
    wrong = [
        Fault(
            "not_supporting",
            f"The mandate names as supporting: {', '.join(answer.supporting) or 'nobody'}.",
            f"Instansi pendukung menurut mandat: {', '.join(answer.supporting) or 'tidak ada'}.",
            pointer=f"/supporting/{place}",
        )
        for place, agency in enumerate(chosen)
        if agency not in answer.supporting
    ]
    if wrong:
        raise ValidationFailed(errors=wrong)
    return tuple(chosen)
