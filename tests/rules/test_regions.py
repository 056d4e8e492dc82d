"""Region codes: the code is the tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules import regions

codes = st.builds(
    lambda parts, depth: ".".join(parts[:depth]),
    st.tuples(*[st.from_regex(r"[0-9]{2}", fullmatch=True)] * 3, st.from_regex(r"[123][0-9]{3}", fullmatch=True)),
    st.integers(1, 4),
)


def test_a_village_lies_in_its_district_its_city_and_its_province() -> None:
    assert regions.path("35.73.05.1009") == ("35", "35.73", "35.73.05", "35.73.05.1009")


@pytest.mark.parametrize("code", ["35", "35.73", "35.73.05", "35.73.05.1009", "35.07.01.2001"])
def test_a_code_of_every_level_has_the_form(code: str) -> None:
    assert regions.is_code(code)


@pytest.mark.parametrize(
    "text",
    [
        *("", "3", "355", "35.", "35.7", "35.73.5", "35.73.05.9009", "35.73.05.10091", "35.73.05.1009.1"),
        *(" 35", "35\n", "35.73.05.1009\n", "35-73", "\u0663\u0665"),
    ],
)
def test_what_is_no_code_has_not_the_form(text: str) -> None:
    assert not regions.is_code(text)


@given(region=codes, incident=codes)
def test_a_region_covers_exactly_what_has_it_on_its_path(region: str, incident: str) -> None:
    assert regions.covers(region, incident) == (region in regions.path(incident))


@given(incident=codes)
def test_the_whole_country_and_every_region_above_cover_an_incident(incident: str) -> None:
    assert all(regions.covers(one, incident) for one in ("", *regions.path(incident)))


def test_a_code_that_merely_begins_alike_covers_nothing() -> None:
    assert not regions.covers("35.7", "35.73")
    assert not regions.covers("35.73.0", "35.73.05")


@given(code=codes)
def test_the_seat_is_the_regency_or_city_and_a_province_is_its_own(code: str) -> None:
    assert regions.seat(code) == ".".join(code.split(".")[:2])
