"""What becomes of a task, act by act: most are done and confirmed, a few wait, some come to nothing."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final

from app.simulation.dice import Dice


class Act(StrEnum):
    """Something that is done to a task after it was logged."""

    RECEIVE = "receive"
    ACCEPT = "accept"
    RETURN = "return"
    SEND_AGAIN = "send_again"
    START = "start"
    COMMENT = "comment"
    AGREE = "agree"
    AWAIT = "await"
    RESUME = "resume"
    HAND_ON = "hand_on"
    RESOLVE = "resolve"
    REJECT = "reject"
    CONFIRM = "confirm"
    CANCEL = "cancel"


#: How long an act takes to come, typically (hours).
HOURS: Final = {
    Act.RECEIVE: 3.0,
    Act.ACCEPT: 10.0,
    Act.RETURN: 20.0,
    Act.SEND_AGAIN: 8.0,
    Act.START: 6.0,
    Act.COMMENT: 20.0,
    Act.AGREE: 2.0,
    Act.AWAIT: 12.0,
    Act.RESUME: 40.0,
    Act.HAND_ON: 24.0,
    Act.RESOLVE: 70.0,
    Act.REJECT: 10.0,
    Act.CONFIRM: 18.0,
    Act.CANCEL: 15.0,
}
#: From this day on what was logged may still be under way; of what is older, little is.
_LATE: Final = date(2024, 11, 10)
_OPEN_LATE, _OPEN_OLD = 0.12, 0.015


def plan(dice: Dice, *, own: bool, day: date, bounded: bool) -> list[Act]:
    """The acts that follow a task's logging; `own`: by its owner, `bounded`: its mandate ends, and it before that."""
    acts = [] if own else _referred(dice)
    if Act.CANCEL not in acts:
        acts += _worked(dice)
    open_ = dice.happens(_OPEN_LATE if day >= _LATE else _OPEN_OLD) and not bounded
    return acts[: int(dice.roll() * len(acts))] if open_ else acts


def _referred(dice: Dice) -> list[Act]:
    received = [Act.RECEIVE] if dice.happens(0.35) else []
    fate = dice.roll()
    if fate < 0.015:
        return [*received, Act.CANCEL]
    if fate < 0.025:
        return [*received, Act.RETURN, Act.CANCEL]
    if fate < 0.045:
        return [*received, Act.RETURN, Act.SEND_AGAIN, Act.ACCEPT]
    return [*received, Act.ACCEPT]


def _worked(dice: Dice) -> list[Act]:
    acts = [Act.START]
    acts += [Act.AGREE] * dice.happens(0.1)
    acts += [Act.COMMENT] * dice.happens(0.1)
    acts += [Act.AWAIT, Act.RESUME] if dice.happens(0.04) else []
    acts += [Act.HAND_ON, Act.ACCEPT, Act.START] if dice.happens(0.04) else []
    if dice.happens(0.025):
        return [*acts, Act.CANCEL]
    acts += [Act.RESOLVE, Act.REJECT] if dice.happens(0.02) else []
    return [*acts, Act.RESOLVE, Act.CONFIRM]
