"""What may happen to a clock on a task, as rows: one row per lawful move.

A clock that has run out (`breached`) stays so when it is met late; one that is told to have been met in time, though
later than it ran out, is met.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from app.rules.facts import EventKind as E
from app.rules.policy import Permission as P


class ClockStatus(StrEnum):
    """Where a clock stands."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    VOID = "void"


class ClockKind(StrEnum):
    """Who set a clock: the law, whose limits nobody edits, or the agencies among themselves."""

    STATUTORY = "statutory"
    AGREED = "agreed"


class ClockAction(StrEnum):
    """A move of a clock."""

    MEET = "meet"
    PAUSE = "pause"
    RESUME = "resume"
    EXTEND = "extend"
    VOID = "void"


class Trait(StrEnum):
    """What must hold of an open clock, besides its status, for a move of it."""

    MAY_PAUSE = "may_pause"  # the law lets it wait, it does not yet, and not all of the waiting is used up
    STANDS_STILL = "stands_still"
    MAY_EXTEND = "may_extend"  # the law knows an extension, and it was not yet extended


S = ClockStatus
#: Clocks that still count: what is breached may be met late.
OPEN: Final = frozenset({S.RUNNING, S.PAUSED, S.BREACHED})


@dataclass(frozen=True, slots=True)
class ClockMove:
    """A lawful move of an open clock: from which statuses, by which permission, and the fact it leaves.

    `requires` names members of the body; `in_time` says that it must have happened before the clock ran out.
    """

    action: ClockAction
    sources: frozenset[S]
    permission: P
    event: E
    requires: tuple[str, ...] = ("reason",)
    needs: frozenset[Trait] = frozenset()
    in_time: bool = False


MOVES: Final = (
    ClockMove(ClockAction.MEET, OPEN, P.DEADLINE_MEET, E.DEADLINE_MET, requires=("note",)),
    ClockMove(
        ClockAction.PAUSE,
        frozenset({S.RUNNING, S.BREACHED}),
        P.DEADLINE_PAUSE,
        E.DEADLINE_PAUSED,
        needs=frozenset({Trait.MAY_PAUSE}),
        in_time=True,
    ),
    ClockMove(
        ClockAction.RESUME,
        frozenset({S.PAUSED, S.BREACHED}),
        P.DEADLINE_RESUME,
        E.DEADLINE_RESUMED,
        requires=(),
        needs=frozenset({Trait.STANDS_STILL}),
    ),
    ClockMove(
        ClockAction.EXTEND,
        OPEN,
        P.DEADLINE_EXTEND,
        E.DEADLINE_EXTENDED,
        needs=frozenset({Trait.MAY_EXTEND}),
        in_time=True,
    ),
    ClockMove(ClockAction.VOID, OPEN, P.DEADLINE_VOID, E.DEADLINE_VOIDED),
)


def row(action: ClockAction) -> ClockMove:
    """The row of an action."""
    return next(move for move in MOVES if move.action is action)


def lawful(status: S, traits: Set[Trait]) -> tuple[ClockMove, ...]:
    """Every move of an open clock that stands so, whoever asks."""
    return tuple(move for move in MOVES if status in move.sources and move.needs <= traits)


def met(*, at: datetime, due: datetime) -> S:
    """How a clock ends that was met at an instant: too late, it stays breached."""
    return S.MET if at <= due else S.BREACHED


def ticking(before: S, *, due: datetime, now: datetime, still: object) -> S:
    """Where an open clock stands once it is due at another instant; `still` is what it stands still for, or None.

    One that had run out goes on only if it has time again.
    """
    if before is S.BREACHED and due <= now:
        return before
    return S.RUNNING if still is None else S.PAUSED
