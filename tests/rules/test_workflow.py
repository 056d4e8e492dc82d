"""The workflow's rows: complete, unambiguous, and those of the design."""

from __future__ import annotations

from collections import Counter
from itertools import product

from app.rules import workflow
from app.rules.policy import GRANTS
from app.rules.vocabulary import Action, ReferralStatus, Status
from app.rules.workflow import (
    ACTIVE,
    BEFORE_ACCEPTANCE,
    OPEN_REFERRAL,
    REFER,
    REFERRAL_MOVES,
    TRANSITIONS,
    ReferralMove,
    Transition,
)

ROWS = (*TRANSITIONS, *REFER)
EVERY_ROW: tuple[Transition | ReferralMove, ...] = (*ROWS, *REFERRAL_MOVES)
S = Status


def test_the_moves_of_a_task_are_those_of_the_design() -> None:
    said = {(row.action.value, source.value, row.target.value) for row in ROWS for source in row.sources}
    assert said == {
        ("submit", "draft", "assigned"),
        ("start", "accepted", "in_progress"),
        ("await_info", "in_progress", "awaiting_info"),
        ("resume", "awaiting_info", "in_progress"),
        ("resolve", "in_progress", "resolved"),
        ("confirm", "resolved", "closed"),
        ("reject_outcome", "resolved", "in_progress"),
        ("reopen", "closed", "in_progress"),
        *(("cancel", source, "cancelled") for source in ("draft", "assigned", "returned")),
        *(("cancel", source, "cancelled") for source in ("accepted", "in_progress", "awaiting_info")),
        ("refer", "returned", "assigned"),
        *(("refer", source, source) for source in ("accepted", "in_progress", "awaiting_info")),
    }


def test_the_moves_of_a_referral_are_those_of_the_design() -> None:
    said = {(row.action.value, source.value, row.target.value) for row in REFERRAL_MOVES for source in row.sources}
    assert said == {
        ("receive", "sent", "received"),
        *(("accept", source, "accepted") for source in ("sent", "received")),
        *(("return", source, "returned") for source in ("sent", "received")),
        *(("withdraw", source, "withdrawn") for source in ("sent", "received")),
    }


def test_no_two_rows_speak_of_one_action_in_one_status() -> None:
    spoken = Counter((row.action, source) for row in ROWS for source in row.sources)
    assert [one for one, times in spoken.items() if times > 1] == []
    answers = Counter((row.action, source) for row in REFERRAL_MOVES for source in row.sources)
    assert [one for one, times in answers.items() if times > 1] == []


def test_every_action_but_logging_has_a_row() -> None:
    assert {row.action for row in EVERY_ROW} == set(Action) - {Action.LOG}


def test_every_status_but_cancelled_leads_on() -> None:
    assert {status for status in Status if not workflow.lawful(status)} == {Status.CANCELLED}


def test_every_status_can_be_reached_from_a_draft() -> None:
    reached, answered = {Status.DRAFT}, {target for row in REFERRAL_MOVES for target in row.task_target.items()}
    steps = answered | {(source, row.target) for row in ROWS for source in row.sources}
    for _ in Status:
        reached |= {target for source, target in steps if source in reached}
    assert reached == set(Status)


def test_the_lookups_find_exactly_the_rows() -> None:
    for action, status in product(Action, Status):
        fitting = [row for row in ROWS if row.action is action and status in row.sources]
        assert workflow.transition(action, status) is (fitting[0] if fitting else None)
        assert (fitting[0] in workflow.lawful(status)) if fitting else True
    for action, state in product(Action, ReferralStatus):
        moves = [row for row in REFERRAL_MOVES if row.action is action and state in row.sources]
        assert workflow.referral_move(action, state) is (moves[0] if moves else None)


def test_only_an_open_referral_can_be_answered_or_withdrawn() -> None:
    assert {source for row in REFERRAL_MOVES for source in row.sources} == OPEN_REFERRAL
    assert {row.target for row in REFERRAL_MOVES} - OPEN_REFERRAL == set(ReferralStatus) - OPEN_REFERRAL


def test_an_open_referral_halts_what_would_end_or_refer_work_under_way_and_nothing_else() -> None:
    halted = {(row.action, source) for row in ROWS if row.halted_by_referral for source in row.sources}
    assert halted == {
        (Action.RESOLVE, S.IN_PROGRESS),
        *product((Action.REFER, Action.CANCEL), ACTIVE),
    }


def test_acceptance_begins_the_work_anew_and_a_return_leaves_work_under_way_alone() -> None:
    moves = {row.action: row.task_target for row in REFERRAL_MOVES}
    assert moves[Action.ACCEPT] == dict.fromkeys((S.ASSIGNED, *ACTIVE), S.ACCEPTED)
    assert moves[Action.RETURN] == moves[Action.WITHDRAW] == {S.ASSIGNED: S.RETURNED}
    assert moves[Action.RECEIVE] == {}


def test_before_and_after_acceptance_part_the_statuses() -> None:
    assert BEFORE_ACCEPTANCE.isdisjoint(ACTIVE)
    assert set(Status) - BEFORE_ACCEPTANCE - ACTIVE == {S.RESOLVED, S.CLOSED, S.CANCELLED}


def test_every_row_names_a_permission_that_somebody_holds() -> None:
    assert [row.action for row in EVERY_ROW if not GRANTS.get(row.permission)] == []


def test_what_undoes_or_ends_asks_for_a_reason() -> None:
    asking = {row.action for row in EVERY_ROW if "reason" in row.requires}
    assert asking == {Action.CANCEL, Action.REJECT_OUTCOME, Action.REOPEN, Action.RETURN}
