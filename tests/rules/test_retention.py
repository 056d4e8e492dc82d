"""When a year of facts may be retired: each thing that stands in the way, and in which order it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.rules.retention import HINDRANCES, Standing, hindrance, span, year_of

FREE = Standing(year=2024, this=2026, keep=1, facts=10, oldest=2024, unplaced=0, halted=False, waiting=(), apart=True)
WAYS: list[tuple[dict[str, Any], str]] = [
    ({"keep": None}, "SIMPUL_RETENTION_YEARS is not set: all facts are kept, for ever."),
    ({"keep": 2}, "2 full years stay online: 2024 may be retired from 1 January 2027 (UTC) on."),
    ({"facts": 0}, "There are no facts of 2024."),
    ({"oldest": 2019}, "There are facts of 2019: the oldest year goes first."),
    ({"unplaced": 3}, "Facts of 2024 have no place in the log yet: 3."),
    ({"halted": True}, "The log stands still, for a head of it is lost: `simpul log resume` comes first."),
    (
        {"waiting": ("KPU 1", "KPU 2")},
        "Webhooks have not heard all of 2024 yet: KPU 1, KPU 2. Wait for them, make them active, or delete them.",
    ),
    (
        {"apart": False},
        "The facts of 2024 have no table of their own: they came before their year was opened.",
    ),
]


def test_nothing_stands_in_the_way_of_an_old_year_that_left() -> None:
    assert hindrance(FREE) is None


@pytest.mark.parametrize(("changed", "said"), WAYS)
def test_each_thing_by_itself_stands_in_the_way(changed: dict[str, Any], said: str) -> None:
    assert hindrance(replace(FREE, **changed)) == said


def test_every_row_is_tried_here_and_the_first_one_is_told() -> None:
    assert len(WAYS) == len(HINDRANCES)
    everything: dict[str, Any] = {}
    for changed, said in reversed(WAYS[1:]):
        everything |= changed
        assert hindrance(replace(FREE, **everything)) == said


@pytest.mark.parametrize("keep", range(1, 6))
def test_so_many_full_years_lie_between_a_year_and_the_first_day_on_which_it_may_go(keep: int) -> None:
    first = next(year for year in range(2024, 2040) if hindrance(replace(FREE, this=year, keep=keep)) is None)
    assert first == 2024 + keep + 1


@pytest.mark.parametrize("year", [1970, 1999, 2024, 2026, 9998])
def test_ids_of_a_year_lie_in_its_span(year: int) -> None:
    first, beyond = span(year)
    last = UUID(int=beyond.int - 1)
    assert (year_of(first), year_of(last), year_of(beyond)) == (year, year, year + 1)
    assert first.int >> 80 == int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)
