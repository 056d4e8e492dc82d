"""Freeze windows: dated, half-open, at midnight in WIB."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.rules.freeze import Window, holding, outside, window
from app.rules.law import WIB

MALANG = window("pilkada-2024-35.73", date(2024, 11, 27), date(2024, 12, 16))
SECOND = timedelta(seconds=1)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 # made aware
windows = st.lists(
    st.builds(
        lambda day, days: window(str(day), date(2024, 6, 1) + timedelta(days=day), date(2024, 6, 1) + timedelta(days)),
        st.integers(0, 300),
        st.integers(0, 330),
    ),
    max_size=5,
)


def test_it_lasts_from_fourteen_days_before_voting_to_the_last_day_of_the_count() -> None:
    assert (MALANG.first, MALANG.last) == (date(2024, 11, 13), date(2024, 12, 16))
    assert MALANG.name == "2024-11-13/2024-12-16 (pilkada-2024-35.73)"


def test_it_begins_and_ends_at_midnight_in_wib_and_is_half_open() -> None:
    assert MALANG.start == datetime(2024, 11, 12, 17, tzinfo=UTC)
    assert MALANG.end == datetime(2024, 12, 16, 17, tzinfo=UTC)
    for at, inside in (
        (MALANG.start - SECOND, False),
        (MALANG.start, True),
        (MALANG.end - SECOND, True),
        (MALANG.end, False),
    ):
        assert (holding([MALANG], at) == MALANG) is inside, at


def test_a_count_that_no_stage_dates_is_taken_to_last_fourteen_days() -> None:
    assert window("pemilu-2029", date(2029, 2, 14), None).last == date(2029, 2, 28)


def test_a_count_never_ends_before_the_vote() -> None:
    assert window("salah", date(2029, 2, 14), date(2029, 1, 1)).last == date(2029, 2, 14)


def test_an_end_outside_all_windows_stays_where_it_is() -> None:
    wished = datetime(2024, 10, 1, tzinfo=WIB)
    assert outside([MALANG], wished, after=wished - SECOND) == wished


def test_an_end_in_a_window_moves_to_the_second_before_it_however_many_follow_one_another() -> None:
    earlier = Window("lain", date(2024, 11, 1), date(2024, 11, 12))
    wished, now = datetime(2024, 12, 1, tzinfo=WIB), datetime(2024, 7, 1, tzinfo=WIB)
    assert outside([MALANG], wished, after=now) == datetime(2024, 11, 12, 23, 59, 59, tzinfo=WIB)
    assert outside([MALANG, earlier], wished, after=now) == datetime(2024, 10, 31, 23, 59, 59, tzinfo=WIB)


def test_where_it_is_too_late_for_that_an_end_moves_behind_the_windows() -> None:
    later = Window("lain", date(2024, 12, 17), date(2024, 12, 20))
    now = datetime(2024, 11, 20, tzinfo=WIB)
    assert outside([MALANG, later], now + timedelta(days=7), after=now) == datetime(2024, 12, 21, tzinfo=WIB)


@given(windows, moments, st.integers(1, 365))
def test_wherever_it_moves_it_lies_ahead_and_in_no_window(found: list[Window], now: datetime, days: int) -> None:
    end = outside(found, now + timedelta(days=days), after=now)
    assert end > now
    assert holding(found, end) is None
