"""When a delivery that failed is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.webhooks import Failure, Patience, failure_of, next_try

SINCE = datetime(2024, 11, 27, tzinfo=UTC)
DAYS = Patience(timedelta(seconds=5), timedelta(hours=1), timedelta(hours=72))


def when(attempts: int, *, chance: float = 1.0, at: datetime = SINCE, failure: Failure = Failure.TIMEOUT) -> object:
    return next_try(DAYS, attempts=attempts, since=SINCE, at=at, failure=failure, chance=chance)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (8, 640), (10, 2560), (11, 3600), (500, 3600)]
)
def test_the_bound_doubles_up_to_an_hour(attempts: int, seconds: int) -> None:
    assert when(attempts) == SINCE + timedelta(seconds=seconds)
    assert when(attempts, chance=0.25) == SINCE + timedelta(seconds=seconds / 4)
    assert when(attempts, chance=0) == SINCE


@given(st.integers(1, 10_000), st.floats(0, 1), st.integers(0, 72 * 3600 - 1))
def test_the_last_try_falls_at_the_end_of_the_patience_and_none_after_it(n: int, chance: float, passed: int) -> None:
    at = SINCE + timedelta(seconds=passed)
    again = when(n, chance=chance, at=at)
    assert isinstance(again, datetime)
    assert at <= again <= SINCE + DAYS.whole
    assert when(n, chance=chance, at=SINCE + DAYS.whole) is None


def test_who_says_that_it_is_gone_is_not_asked_again() -> None:
    assert when(1, failure=Failure.GONE) is None


def test_what_a_status_amounts_to() -> None:
    assert {failure_of(status) for status in (200, 201, 202, 204, 299)} == {None}
    assert {failure_of(status) for status in (300, 301, 304, 307, 308)} == {Failure.REDIRECT}
    assert failure_of(410) is Failure.GONE
    assert {failure_of(status) for status in (101, 199, 400, 404, 429, 500, 503, 999)} == {Failure.STATUS}
