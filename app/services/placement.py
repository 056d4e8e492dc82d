"""Placing a task with the competent agency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Row, Writer
from app.entries import insert
from app.errors import Fault, ValidationFailed
from app.models import Referral
from app.rules.facts import EventKind
from app.rules.law import Outcome, Resolution
from app.rules.vocabulary import ReferralStatus, Status
from app.services import assignments
from app.services.escalations import escalated
from app.services.log import Fact
from app.services.referral_moves import waiting


@dataclass(frozen=True, slots=True)
class Placeable:
    """What placing asks of a task."""

    id: UUID
    logged_by: str
    function: str
    variant: str | None
    chosen_supporting: list[str] | None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a task goes: what that sets of it, what its fact says, and the referral that takes it there, if any."""

    party: assignments.Party
    values: dict[str, Any]
    said: dict[str, Any]
    referral: Row | None

    @property
    def state(self) -> dict[str, Any]:
        """What it sets, as the task's fact says it."""
        return self.values | ({"open_referral": waiting(self.referral)} if self.referral else {})


async def decide_placement(
    writer: Writer, task: Placeable, answer: Resolution, *, vulnerabilities: Sequence[UUID], at: datetime
) -> Placement:
    """A task goes to the competent agency: accepted at once when that is the logger, else by a referral.

    Who is informed the mandate says, and how far the task's vulnerabilities reach. Raises ValidationFailed if chosen
    supporters are not the mandate's.
    """
    if answer.mandate is None or answer.accountable is None or answer.outcome is not Outcome.RESOLVED:
        raise AssertionError(answer)
    supporting = _supporting(task.chosen_supporting, answer)
    informed = await escalated(writer, answer, vulnerabilities)
    party = assignments.Party(answer.accountable, answer.mandate.id, supporting, informed)
    values: dict[str, Any] = {"supporting": list(supporting), "informed": list(informed)}
    referral: Row | None = None
    if party.agency == task.logged_by:
        values |= {"status": Status.ACCEPTED, "accountable": party.agency, "holder": party.agency}
        values |= {"mandate": party.mandate, "accepted_at": at}
    else:
        referral = _referral(task, party, at)
        values |= {"status": Status.ASSIGNED, "open_referral": referral["id"]}
    said = {"to": values["status"], "mandate": party.mandate, "competent": party.agency}
    return Placement(party, values, said, referral)


def _referral(task: Placeable, party: assignments.Party, at: datetime) -> Row:
    return {
        "id": uuid7(),
        "task_id": task.id,
        "from_agency": task.logged_by,
        "to_agency": party.agency,
        "status": ReferralStatus.SENT,
        "function": task.function,
        "variant": task.variant,
        "mandate": party.mandate,
        "supporting": list(party.supporting),
        "informed": list(party.informed),
        "effective_at": at,
    }


async def place(writer: Writer, placed: Placement, *, task_id: UUID, at: datetime) -> list[Fact]:
    """Hand a task over, or send it, once it holds the placement's values; returns the facts beside the task's own."""
    if placed.referral is None:
        await assignments.hand_over(writer, task_id, placed.party, at=at)
        return []
    await insert(writer, Referral, placed.referral)
    await assignments.support(writer, task_id, placed.party, at=at)
    sent = {name: placed.referral[name] for name in ("to_agency", "mandate")}
    return [
        Fact(
            kind=EventKind.REFERRAL_SENT,
            on="referral",
            id=placed.referral["id"],
            effective_at=at,
            task_id=task_id,
            versions=(None, 1),
            payload=sent,
        )
    ]


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
