"""The workflow between sovereign agencies, as rows: one row per lawful move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.rules.facts import EventKind as E
from app.rules.policy import Permission as P
from app.rules.vocabulary import Action as A
from app.rules.vocabulary import ReferralStatus as R
from app.rules.vocabulary import Status as S

OPEN_REFERRAL: Final = frozenset({R.SENT, R.RECEIVED})
BEFORE_ACCEPTANCE: Final = frozenset({S.DRAFT, S.ASSIGNED, S.RETURNED})
ACTIVE: Final = frozenset({S.ACCEPTED, S.IN_PROGRESS, S.AWAITING_INFO})
ENDED: Final = frozenset({S.CLOSED, S.CANCELLED})


@dataclass(frozen=True, slots=True)
class Transition:
    """A lawful move of a task: from which statuses to which, by which permission, and the fact it leaves.

    `requires` names members of the body without which the move is refused; `halted_by_referral` says that
    an open referral stands in its way, `four_eyes` that the client which resolved may not make it.
    """

    action: A
    sources: frozenset[S]
    target: S
    permission: P
    event: E
    requires: tuple[str, ...] = ()
    halted_by_referral: bool = False
    four_eyes: bool = False


@dataclass(frozen=True, slots=True)
class ReferralMove:
    """A lawful move of a referral and what it does to the task: `task_target` maps the task's status, if it changes."""

    action: A
    sources: frozenset[R]
    target: R
    permission: P
    event: E
    task_target: dict[S, S]
    requires: tuple[str, ...] = ()


TRANSITIONS: Final = (
    Transition(A.SUBMIT, frozenset({S.DRAFT}), S.ASSIGNED, P.TASK_SUBMIT, E.TASK_SUBMITTED),
    Transition(A.START, frozenset({S.ACCEPTED}), S.IN_PROGRESS, P.TASK_START, E.TASK_STARTED),
    Transition(A.AWAIT_INFO, frozenset({S.IN_PROGRESS}), S.AWAITING_INFO, P.TASK_AWAIT_INFO, E.TASK_INFO_AWAITED),
    Transition(A.RESUME, frozenset({S.AWAITING_INFO}), S.IN_PROGRESS, P.TASK_RESUME, E.TASK_RESUMED),
    Transition(
        A.RESOLVE,
        frozenset({S.IN_PROGRESS}),
        S.RESOLVED,
        P.TASK_RESOLVE,
        E.TASK_RESOLVED,
        requires=("outcome", "note"),
        halted_by_referral=True,
    ),
    Transition(A.CONFIRM, frozenset({S.RESOLVED}), S.CLOSED, P.TASK_CONFIRM, E.TASK_CONFIRMED, four_eyes=True),
    Transition(
        A.REJECT_OUTCOME,
        frozenset({S.RESOLVED}),
        S.IN_PROGRESS,
        P.TASK_REJECT_OUTCOME,
        E.TASK_OUTCOME_REJECTED,
        requires=("reason",),
        four_eyes=True,
    ),
    Transition(A.REOPEN, frozenset({S.CLOSED}), S.IN_PROGRESS, P.TASK_REOPEN, E.TASK_REOPENED, requires=("reason",)),
    Transition(A.CANCEL, BEFORE_ACCEPTANCE, S.CANCELLED, P.TASK_CANCEL_OWN, E.TASK_CANCELLED, requires=("reason",)),
    Transition(
        A.CANCEL,
        ACTIVE,
        S.CANCELLED,
        P.TASK_CANCEL_ACCEPTED,
        E.TASK_CANCELLED,
        requires=("reason",),
        halted_by_referral=True,
    ),
)

REFER: Final = (
    Transition(
        A.REFER, frozenset({S.RETURNED}), S.ASSIGNED, P.REFERRAL_SEND_AGAIN, E.REFERRAL_SENT, requires=("to_agency",)
    ),
    *(
        Transition(
            A.REFER,
            frozenset({status}),
            status,
            P.REFERRAL_SEND,
            E.REFERRAL_SENT,
            requires=("to_agency",),
            halted_by_referral=True,
        )
        for status in (S.ACCEPTED, S.IN_PROGRESS, S.AWAITING_INFO)
    ),
)

TASK_MOVES: Final = (*TRANSITIONS, *REFER)

_ACCEPTED: Final = dict.fromkeys((S.ASSIGNED, *sorted(ACTIVE)), S.ACCEPTED)
_HANDED_BACK: Final = {S.ASSIGNED: S.RETURNED}

REFERRAL_MOVES: Final = (
    ReferralMove(A.RECEIVE, frozenset({R.SENT}), R.RECEIVED, P.REFERRAL_RECEIVE, E.REFERRAL_RECEIVED, {}),
    ReferralMove(A.ACCEPT, OPEN_REFERRAL, R.ACCEPTED, P.REFERRAL_ACCEPT, E.REFERRAL_ACCEPTED, _ACCEPTED),
    ReferralMove(
        A.RETURN,
        OPEN_REFERRAL,
        R.RETURNED,
        P.REFERRAL_RETURN,
        E.REFERRAL_RETURNED,
        _HANDED_BACK,
        requires=("reason",),
    ),
    ReferralMove(A.WITHDRAW, OPEN_REFERRAL, R.WITHDRAWN, P.REFERRAL_WITHDRAW, E.REFERRAL_WITHDRAWN, _HANDED_BACK),
)


def transition(action: A, status: S) -> Transition | None:
    """The row that lets `action` happen to a task in `status`, or None."""
    return next((row for row in TASK_MOVES if row.action == action and status in row.sources), None)


def referral_move(action: A, status: R) -> ReferralMove | None:
    """The row that lets `action` happen to a referral in `status`, or None."""
    return next((row for row in REFERRAL_MOVES if row.action == action and status in row.sources), None)


def lawful(status: S) -> tuple[Transition, ...]:
    """Every move of a task that is lawful in `status`, whoever asks."""
    return tuple(row for row in TASK_MOVES if status in row.sources)
