"""When a thing happened: what `effective_at` may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ValidationFailed
from app.rules import moments

NOW = datetime(2024, 8, 24, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)

instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.timedeltas(timedelta(0), timedelta(days=4000))


def refused(given_at: datetime, *, not_before: datetime | None = None, backdating: timedelta | None = None) -> str:
    with pytest.raises(ValidationFailed) as problem:
        moments.effective(given_at, now=NOW, not_before=not_before, backdating=backdating)
    (fault,) = problem.value.errors
    assert fault.pointer == "/effective_at"
    return fault.code


def test_a_thing_said_without_its_instant_happens_now() -> None:
    assert moments.effective(None, now=NOW) == NOW
    assert moments.effective(None, now=NOW, not_before=NOW - SECOND) == NOW


def test_a_thing_said_without_its_instant_never_precedes_the_one_before() -> None:
    assert moments.effective(None, now=NOW, not_before=NOW + SECOND) == NOW + SECOND


def test_the_future_is_refused_and_this_very_instant_is_not() -> None:
    assert refused(NOW + SECOND) == "in_future"
    assert moments.effective(NOW, now=NOW) == NOW


def test_before_the_previous_instant_is_refused_and_at_it_is_not() -> None:
    assert refused(NOW - 2 * SECOND, not_before=NOW - SECOND) == "before_previous"
    assert moments.effective(NOW - SECOND, now=NOW, not_before=NOW - SECOND) == NOW - SECOND


def test_too_far_back_is_refused_and_the_bound_itself_is_not() -> None:
    month = timedelta(days=30)
    assert refused(NOW - month - SECOND, backdating=month) == "too_far_back"
    assert moments.effective(NOW - month, now=NOW, backdating=month) == NOW - month


@given(at=instants, now=instants, before=st.none() | instants, bound=st.none() | spans)
def test_what_is_accepted_is_the_given_instant_and_lies_within_every_bound(
    at: datetime, now: datetime, before: datetime | None, bound: timedelta | None
) -> None:
    lawful = at <= now and (before is None or at >= before) and (bound is None or at >= now - bound)
    try:
        assert moments.effective(at, now=now, not_before=before, backdating=bound) == at
    except ValidationFailed:
        assert not lawful
    else:
        assert lawful
