"""What may happen to a clock, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.rules.clocks import MOVES, OPEN, ClockAction, ClockStatus, Trait, lawful, met, row, ticking

NOW = datetime(2024, 11, 20, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def test_every_action_has_one_row_and_no_clock_that_ended_moves() -> None:
    assert [row(action).action for action in ClockAction] == [move.action for move in MOVES]
    for ended in (ClockStatus.MET, ClockStatus.VOID):
        assert lawful(ended, frozenset(Trait)) == ()


@pytest.mark.parametrize("status", sorted(OPEN))
def test_what_is_open_may_always_be_met_or_called_off(status: ClockStatus) -> None:
    assert {move.action for move in lawful(status, frozenset())} == {ClockAction.MEET, ClockAction.VOID}


def test_only_what_the_law_lets_wait_waits_and_only_what_waits_goes_on() -> None:
    waiting = {move.action for move in lawful(ClockStatus.RUNNING, {Trait.MAY_PAUSE})}
    assert ClockAction.PAUSE in waiting
    assert ClockAction.RESUME not in waiting
    assert ClockAction.RESUME in {move.action for move in lawful(ClockStatus.PAUSED, {Trait.STANDS_STILL})}


def test_the_last_instant_is_in_time_and_the_next_is_not() -> None:
    assert met(at=NOW, due=NOW) is ClockStatus.MET
    assert met(at=NOW + timedelta(microseconds=1), due=NOW) is ClockStatus.BREACHED


def test_what_ran_out_goes_on_only_with_time_again() -> None:
    assert ticking(ClockStatus.BREACHED, due=NOW, now=LATER, still=None) is ClockStatus.BREACHED
    assert ticking(ClockStatus.BREACHED, due=LATER, now=NOW, still=None) is ClockStatus.RUNNING
    assert ticking(ClockStatus.BREACHED, due=LATER, now=NOW, still={"began": NOW}) is ClockStatus.PAUSED
    assert ticking(ClockStatus.RUNNING, due=NOW, now=LATER, still=None) is ClockStatus.RUNNING  # to be noticed
