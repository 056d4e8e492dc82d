"""Time limits, counted by hand and by the rules; and what no calendar can change about them."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.deadlines import (
    ZONES,
    Calendar,
    Computed,
    Limit,
    Pause,
    Reckoned,
    Step,
    Unit,
    approaches_at,
    compute,
)
from app.settings import DATA, ROOT

WIB, WITA, WIT = ZONES["Asia/Jakarta"], ZONES["Asia/Makassar"], ZONES["Asia/Jayapura"]


def rows_of(name: str) -> list[dict[str, Any]]:
    return list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))


RULES = rows_of("deadlines.csv")
STORIES = json.loads((ROOT / "tests" / "scenarios" / "scenarios.json").read_text())["scenarios"]
EXPECTED = [
    pytest.param(then["expect"], id=f"{story['id']}-{then['expect']['deadline_code']}")
    for story in STORIES
    for then in story["then"]
    if then.get("expect", {}).get("type") == "due"
]
NOBODY: dict[date, str] = {}


def calendar(days: dict[date, str], beyond: dict[date, str] = NOBODY) -> Calendar:
    return Calendar(version=1, first=date(2024, 8, 1), last=date(2025, 4, 30), days=days, beyond=beyond)


LOADED = calendar({date.fromisoformat(row["date"]): row["name_id"] for row in rows_of("holidays.csv")})
EMPTY = calendar(NOBODY)


def limit_of(rule: dict[str, Any], *, extended: bool = False) -> Limit:
    return Limit(int(rule["limit"]), Unit(rule["unit"]), extension=int(rule["extension"] or 0) if extended else 0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spelled(found: Computed) -> str:
    return found.due_at.isoformat()


@pytest.mark.parametrize("expect", EXPECTED)
def test_every_clock_of_the_stories_is_due_when_they_say(expect: dict[str, Any]) -> None:
    rule = next(one for one in RULES if one["code"] == expect["deadline_code"])
    start = datetime.combine(date.fromisoformat(expect["clock_starts"]), datetime.min.time(), WIB)
    limit = limit_of(rule, extended=expect["with_extension"])
    for hour in (0, 10, 23):
        found = compute(limit, start=start + timedelta(hours=hour), zone=WIB, calendar=LOADED)
        assert found.due_at == at(expect["due_at"])
        assert not found.provisional


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["code"]))
@pytest.mark.parametrize("zone", ZONES.values(), ids=str)
def test_every_limit_of_the_law_explains_itself_in_every_zone(rule: dict[str, Any], zone: timezone) -> None:
    limit = limit_of(rule)
    start = datetime(2024, 11, 25, 10, 30, tzinfo=zone)
    found = compute(limit, start=start, zone=zone, calendar=LOADED)
    assert (found.steps[0].on, found.steps[0].because) == (start.date(), Reckoned.START)
    assert found.steps[-1].count == limit.amount
    assert found.steps[-1].on == found.due_at.astimezone(zone).date()
    assert not found.provisional
    if limit.unit is Unit.HOUR:
        assert found.due_at - start == timedelta(hours=limit.amount)
        return
    assert found.due_at.astimezone(zone).strftime("%H:%M:%S") == "23:59:59"
    days = [step.on for step in found.steps]
    way = timedelta(days=-1 if limit.amount < 0 else 1)
    assert days == [start.date() + place * way for place in range(len(days))]
    counted = [step.count for step in found.steps if step.count]
    assert counted == [(place if limit.amount > 0 else -place) for place in range(1, abs(limit.amount) + 1)]


def test_working_days_before_the_vote_are_counted_as_by_hand() -> None:
    found = compute(Limit(3, Unit.WORKING_DAY), start=at("2024-11-22T16:00:00+07:00"), zone=WIB, calendar=LOADED)
    assert list(found.steps) == [
        Step(date(2024, 11, 22), 0, Reckoned.START),
        Step(date(2024, 11, 23), None, Reckoned.SATURDAY),
        Step(date(2024, 11, 24), None, Reckoned.SUNDAY),
        Step(date(2024, 11, 25), 1, Reckoned.COUNTED),
        Step(date(2024, 11, 26), 2, Reckoned.COUNTED),
        Step(date(2024, 11, 27), None, Reckoned.HOLIDAY, "Hari pemungutan suara Pilkada serentak 2024"),
        Step(date(2024, 11, 28), 3, Reckoned.COUNTED),
    ]
    assert spelled(found) == "2024-11-28T23:59:59+07:00"


def test_a_day_ends_in_the_zone_of_the_region() -> None:
    # half an hour to midnight in Malang is the next day already in Makassar and Jayapura
    start = at("2024-08-13T23:30:00+07:00")
    due = [
        spelled(compute(Limit(3, Unit.CALENDAR_DAY), start=start, zone=one, calendar=EMPTY)) for one in ZONES.values()
    ]
    assert due == ["2024-08-16T23:59:59+07:00", "2024-08-17T23:59:59+08:00", "2024-08-17T23:59:59+09:00"]


def test_the_extension_is_shown_as_such() -> None:
    limit = Limit(3, Unit.CALENDAR_DAY, extension=2)
    found = compute(limit, start=at("2024-08-13T10:00:00+07:00"), zone=WIB, calendar=EMPTY)
    assert [step.because for step in found.steps] == [Reckoned.START, *[Reckoned.COUNTED] * 3, *[Reckoned.EXTENDED] * 2]
    assert spelled(found) == "2024-08-18T23:59:59+07:00"


def test_a_pause_adds_the_days_on_which_the_clock_stood_still_and_two_at_most() -> None:
    limit = Limit(3, Unit.CALENDAR_DAY, pausable=2)
    start = at("2024-08-13T10:00:00+07:00")

    def due(*pauses: Pause) -> str:
        return str(compute(limit, start=start, zone=WIB, calendar=EMPTY, pauses=pauses).due_at.date())

    one_day = Pause(at("2024-08-14T10:00:00+07:00"), at("2024-08-15T09:00:00+07:00"))
    same_day = Pause(at("2024-08-14T10:00:00+07:00"), at("2024-08-14T17:00:00+07:00"))
    long = Pause(at("2024-08-14T10:00:00+07:00"), at("2024-08-20T09:00:00+07:00"))
    assert due() == due(same_day) == "2024-08-16"
    assert due(one_day) == "2024-08-17"
    assert due(long) == due(Pause(long.began)) == "2024-08-18"
    again = Pause(at("2024-08-16T10:00:00+07:00"), at("2024-08-19T09:00:00+07:00"))
    assert due(one_day, again) == "2024-08-18"
    still = compute(limit, start=start, zone=WIB, calendar=EMPTY, pauses=[one_day]).steps
    assert [step.on.day for step in still if step.because is Reckoned.PAUSED] == [14]
    on_the_first = Pause(start, at("2024-08-14T09:00:00+07:00"))
    on_the_last = Pause(at("2024-08-16T22:00:00+07:00"), at("2024-08-17T09:00:00+07:00"))
    assert due(on_the_first) == due(on_the_last) == "2024-08-17"
    assert due(on_the_first, Pause(at("2024-08-14T10:00:00+07:00"), at("2024-08-15T09:00:00+07:00"))) == "2024-08-18"


def test_hours_stand_still_for_as_long_as_they_are_paused() -> None:
    start = at("2024-08-13T10:00:00+07:00")
    waits = Pause(at("2024-08-13T12:00:00+07:00"), at("2024-08-13T15:30:00+07:00"))
    limit = Limit(24, Unit.HOUR, pausable=2)
    found = compute(limit, start=start, zone=WIB, calendar=EMPTY, pauses=[waits])
    assert spelled(found) == "2024-08-14T13:30:00+07:00"
    endless = compute(limit, start=start, zone=WIB, calendar=EMPTY, pauses=[Pause(waits.began)])
    assert spelled(endless) == "2024-08-16T10:00:00+07:00"


def test_outside_the_table_the_library_counts_and_the_end_is_provisional() -> None:
    new_year = date(2026, 1, 1)
    wider = calendar(NOBODY, {new_year: "Tahun Baru Masehi", date(2024, 8, 13): "unknown to the table"})
    limit = Limit(2, Unit.WORKING_DAY)
    found = compute(limit, start=at("2025-12-31T10:00:00+07:00"), zone=WIB, calendar=wider)
    assert (found.due_at.date(), found.provisional) == (date(2026, 1, 5), True)
    inside = compute(limit, start=at("2024-08-12T10:00:00+07:00"), zone=WIB, calendar=wider)
    assert (inside.due_at.date(), inside.provisional) == (date(2024, 8, 14), False)
    last = compute(limit, start=at("2025-04-29T10:00:00+07:00"), zone=WIB, calendar=wider)
    assert last.provisional
    days = compute(Limit(2, Unit.CALENDAR_DAY), start=at("2026-01-01T10:00:00+07:00"), zone=WIB, calendar=wider)
    assert not days.provisional  # no calendar changes them


def test_it_is_time_to_say_so_a_day_before_and_of_hours_a_quarter() -> None:
    start, day = at("2024-08-13T10:00:00+07:00"), timedelta(days=1)
    assert approaches_at(Unit.CALENDAR_DAY, start=start, due=start + 3 * day) == start + 2 * day
    assert approaches_at(Unit.HOUR, start=start, due=start + day) == start + timedelta(hours=18)
    assert approaches_at(None, start=start, due=start + timedelta(minutes=120)) == start + timedelta(minutes=90)
    assert approaches_at(None, start=start, due=start + 90 * day) == start + 89 * day


# what always holds

INSTANTS = st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1), timezones=st.just(WIB))  # noqa: DTZ001 - the zone is given beside
DAYS = st.dates(date(2023, 1, 1), date(2028, 1, 1))
HOLIDAYS = st.dictionaries(DAYS, st.just("libur"), max_size=40)
DAY_UNITS = st.sampled_from([Unit.CALENDAR_DAY, Unit.WORKING_DAY])
ANY_ZONE = st.sampled_from(list(ZONES.values()))


@given(INSTANTS, INSTANTS, st.integers(0, 60), DAY_UNITS, ANY_ZONE, HOLIDAYS)
def test_who_starts_later_ends_no_earlier(
    one: datetime, other: datetime, amount: int, unit: Unit, zone: timezone, days: dict[date, str]
) -> None:
    first, second = (
        compute(Limit(amount, unit), start=start, zone=zone, calendar=calendar(days, days)).due_at
        for start in sorted((one, other))
    )
    assert first <= second


@given(INSTANTS, st.integers(0, 60), ANY_ZONE, HOLIDAYS, DAYS)
def test_one_more_holiday_makes_no_end_earlier_and_none_of_calendar_days_later(
    start: datetime, amount: int, zone: timezone, days: dict[date, str], another: date
) -> None:
    more = {**days, another: "libur"}
    for unit in (Unit.WORKING_DAY, Unit.CALENDAR_DAY):
        before, after = (
            compute(Limit(amount, unit), start=start, zone=zone, calendar=calendar(one, one)).due_at
            for one in (days, more)
        )
        assert before == after if unit is Unit.CALENDAR_DAY else before <= after


@given(INSTANTS, st.integers(1, 60), ANY_ZONE, HOLIDAYS)
def test_a_limit_in_working_days_ends_on_one_and_counts_that_many(
    start: datetime, amount: int, zone: timezone, days: dict[date, str]
) -> None:
    found = compute(Limit(amount, Unit.WORKING_DAY), start=start, zone=zone, calendar=calendar(days, days))
    after = [step.on for step in found.steps[1:]]
    working = [day for day in after if day.weekday() < 5 and day not in days]
    assert len(working) == amount
    assert after[-1] == working[-1]


@given(INSTANTS, st.integers(-60, 60), DAY_UNITS, ANY_ZONE, HOLIDAYS)
def test_before_and_after_mirror_each_other(
    start: datetime, amount: int, unit: Unit, zone: timezone, days: dict[date, str]
) -> None:
    found = compute(Limit(amount, unit), start=start, zone=zone, calendar=calendar(days, days))
    first = start.astimezone(zone).date()
    assert (found.due_at.date() > first) == (amount > 0)
    assert (found.due_at.date() < first) == (amount < 0)
    assert found.steps[-1].count == amount


@given(INSTANTS, st.integers(-200, 200), HOLIDAYS)
def test_hours_are_exact_in_every_zone_and_know_no_holiday(start: datetime, amount: int, days: dict[date, str]) -> None:
    ends = {
        compute(Limit(amount, Unit.HOUR), start=start, zone=zone, calendar=calendar(days, days)).due_at
        for zone in ZONES.values()
    }
    assert ends == {start + timedelta(hours=amount)}


@given(INSTANTS, st.integers(1, 30), st.integers(0, 10), DAY_UNITS, HOLIDAYS, st.integers(0, 3), st.integers(0, 9))
def test_an_extension_or_a_pause_makes_no_end_earlier(
    start: datetime, amount: int, extension: int, unit: Unit, days: dict[date, str], pausable: int, hours: int
) -> None:
    table = calendar(days, days)
    plain = compute(Limit(amount, unit), start=start, zone=WIB, calendar=table).due_at
    longer = compute(Limit(amount, unit, extension=extension), start=start, zone=WIB, calendar=table).due_at
    began = start + timedelta(hours=hours)
    paused = [
        compute(
            Limit(amount, unit, pausable=pausable), start=start, zone=WIB, calendar=table, pauses=[Pause(began, ended)]
        ).due_at
        for ended in (began, began + timedelta(days=1), began + timedelta(days=9), None)
    ]
    assert plain <= longer
    assert [plain, *paused] == sorted([plain, *paused])
    if unit is Unit.CALENDAR_DAY:
        assert longer - plain == timedelta(days=extension)
        assert began > plain or paused[-1] - plain == timedelta(days=pausable)


def test_every_province_has_one_of_the_three_zones() -> None:
    assert {row["time_zone"] for row in rows_of("province_zones.csv")} == ZONES.keys()
