"""Referrals that an owner had sent and that stand open when its mandate ends: the successor steps into its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.db import Row, Writer, rows
from app.rules import workflow
from app.rules.caller import Caller
from app.rules.succession import Because
from app.rules.vocabulary import Action, ReferralStatus
from app.services.referral_moves import record_move, turn, waiting
from app.services.versions import compare_and_set

_LOCKED: Final = """
    select id, task_id as task, from_agency, to_agency, status, function, variant, mandate, effective_at, version
    from referral where id = any(:ids) for update skip locked
"""


@dataclass(frozen=True, slots=True)
class Inherited:
    """The open referral of a task that changes hands: as it was, and who is its sender from then on (None: nobody)."""

    referral: Row | None
    sender: str | None

    @property
    def open_referral(self) -> UUID | None:
        """The referral that the task waits for from then on."""
        return self.referral["id"] if self.referral and self.sender else None

    @property
    def state(self) -> dict[str, Any]:
        """What the change of hands says of the task's open referral, where it changes anything."""
        if self.referral is None or self.sender == self.referral["from_agency"]:
            return {}
        return {"open_referral": waiting({**self.referral, "from_agency": self.sender}) if self.sender else None}


async def hold(writer: Writer, tasks: Sequence[Row]) -> list[Row]:
    """The tasks with their open referral, which nobody else can answer meanwhile; not those where it is answered now.

    Whoever answers a referral goes on to its task, which is ours: waiting for it would be a deadlock.
    """
    asked = [task["open_referral"] for task in tasks if task["open_referral"]]
    held = {one["id"]: one for one in await rows(writer, _LOCKED, ids=asked)} if asked else {}
    return [
        {**task, "referral": held.get(task["open_referral"])}
        for task in tasks
        if task["open_referral"] is None or task["open_referral"] in held
    ]


def after(referral: Row | None, *, before: str, owner: str) -> Inherited:
    """What becomes of an open referral when the task goes from one agency to another; to itself nobody refers."""
    if referral is None:
        return Inherited(None, None)
    if owner == before:
        return Inherited(referral, referral["from_agency"])
    return Inherited(referral, None if referral["to_agency"] == owner else owner)


async def follow(writer: Writer, by: Caller, inherited: Inherited, *, at: datetime, because: Because) -> None:
    """Let the referral follow its task: its sender is the successor, or it is withdrawn by law."""
    referral = inherited.referral
    if referral is None or inherited.sender == referral["from_agency"]:
        return
    if inherited.sender is not None:
        sender = {"from_agency": inherited.sender}
        await compare_and_set(writer, "referral", {"id": referral["id"]}, referral["version"], sender)
        return
    move = workflow.referral_move(Action.WITHDRAW, ReferralStatus(referral["status"]))
    if move is None:
        raise AssertionError(referral)
    await turn(writer, referral, move, answered_at=at)
    said = {"to_agency": referral["to_agency"], "because": because}
    await record_move(writer, by, move.event, referral, at, said)
