"""Who is competent: the resolver, held against the sentences of the law."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from small_law import BAWASLU, DAY, KPU, POLRES, START, ask, lost, mandate, question, recusal

from app.rules.law import Basis, Holder, Law, Lost, Outcome, RefusalKind, Rejected
from app.rules.mandates import refusal, resolve
from app.rules.vocabulary import Instant

# which row


def test_the_row_for_the_city_beats_the_row_for_the_country() -> None:
    answer = ask(mandate("country"), mandate("city", "POLRES@city", region="35.73"))
    assert (answer.accountable, lost(answer)) == ("POLRESTA", {"country": Rejected.LESS_SPECIFIC})


def test_the_row_for_the_district_beats_the_row_for_its_city_whatever_their_order() -> None:
    rows = [mandate("city", region="35.73"), mandate("district", "POLRES@city", region="35.73.05")]
    assert {ask(*order).accountable for order in (rows, rows[::-1])} == {"POLRESTA"}


def test_a_row_for_the_subcategory_beats_the_general_row() -> None:
    answer = ask(mandate("general"), mandate("special", "POLRES@city", subcategory="wet"), subcategory="wet")
    assert (answer.accountable, lost(answer)) == ("POLRESTA", {"general": Rejected.LESS_SPECIFIC})


def test_the_region_counts_before_the_subcategory() -> None:
    rows = mandate("special", subcategory="wet"), mandate("local", "POLRES@city", region="35.73")
    assert ask(*rows, subcategory="wet").accountable == "POLRESTA"


def test_a_general_row_serves_every_subcategory_but_a_special_one_only_its_own() -> None:
    assert ask(mandate(), subcategory="wet").accountable == "KPU_KOTA"
    assert lost(ask(mandate(subcategory="wet"))) == {"M1": Rejected.SUBCATEGORY}
    assert lost(ask(mandate(subcategory="wet"), subcategory="dry")) == {"M1": Rejected.SUBCATEGORY}


@pytest.mark.parametrize(("of_row", "asked"), [("crime", ""), ("", "crime"), ("crime", "ethics")])
def test_a_variant_must_match_exactly(of_row: str, asked: str) -> None:
    answer = ask(mandate(variant=of_row), variant=asked)
    assert (answer.outcome, answer.missing_office, lost(answer)) == (Outcome.GAP, None, {"M1": Rejected.VARIANT})
    assert ask(mandate(variant=asked), variant=asked).outcome is Outcome.RESOLVED


def test_a_row_of_another_city_loses_by_its_region() -> None:
    assert lost(ask(mandate(region="35.07"))) == {"M1": Rejected.REGION}
    assert lost(ask(mandate(region="35.73.05.1009"))) == {"M1": Rejected.REGION}


def test_rows_of_another_matter_are_not_even_considered() -> None:
    answer = ask(mandate(category="recount"), mandate(function="security"))
    assert (answer.outcome, answer.considered) == (Outcome.GAP, ())


# which instant


@pytest.mark.parametrize(
    ("at", "owner"),
    [
        ("2024-08-23T23:59:59+07:00", "KASN"),
        ("2024-08-23T23:59:59.999999+07:00", "KASN"),
        ("2024-08-24T00:00:00+07:00", "BKN"),
        ("2024-08-23T16:59:59+00:00", "KASN"),
        ("2024-08-23T17:00:00+00:00", "BKN"),
        ("2024-08-24T01:59:59+09:00", "KASN"),
    ],
)
def test_a_period_ends_and_the_next_begins_at_midnight_in_jakarta(at: str, owner: str) -> None:
    ends = date(2024, 8, 24)
    rows = mandate("old", "KASN@national", valid_to=ends), mandate("new", "BKN@national", valid_from=ends)
    answer = ask(
        *rows,
        holders=(Holder("KASN", "KASN@national", (), valid_to=ends), Holder("BKN", "BKN@national", ())),
        at=datetime.fromisoformat(at),
    )
    assert answer.accountable == owner
    assert set(lost(answer).values()) == {Rejected.NOT_YET_IN_FORCE if owner == "KASN" else Rejected.ENDED}


@pytest.mark.parametrize(("resolve_at", "owner"), [("creation", "POLRESTA"), ("referral", "POLRESTA"), ("event", None)])
def test_each_row_says_which_instant_decides_about_it(resolve_at: str, owner: str | None) -> None:
    row = mandate(office="POLRES@city", resolve_at=Instant(resolve_at), valid_from=date(2024, 8, 1))
    answer = ask(row, event_at=DAY - timedelta(days=60))
    assert answer.accountable == owner
    assert lost(answer) == ({} if owner else {"M1": Rejected.NOT_YET_IN_FORCE})


def test_the_deed_is_judged_by_the_law_of_its_day_though_logged_later() -> None:
    ends = date(2024, 8, 10)
    rows = (
        mandate("then", "", resolve_at=Instant.EVENT, valid_to=ends),
        mandate("now", "POLRES@city", resolve_at=Instant.EVENT, valid_from=ends),
    )
    assert ask(*rows, event_at=DAY - timedelta(days=20)).outcome is Outcome.NO_LEGAL_BASIS
    assert ask(*rows).accountable == "POLRESTA"


def test_an_agency_is_sought_on_the_day_that_decides() -> None:
    ended = replace(KPU, valid_to=date(2024, 8, 1))
    past = DAY - timedelta(days=40)
    assert ask(mandate(resolve_at=Instant.EVENT), holders=(ended,), event_at=past).accountable == "KPU_KOTA"
    assert ask(mandate(), holders=(ended,), event_at=past).outcome is Outcome.GAP


# which agency


def test_an_office_without_an_agency_is_a_gap_that_names_the_office() -> None:
    answer = ask(mandate("M9", "BPBD@city"))
    assert (answer.outcome, answer.missing_office, answer.accountable) == (Outcome.GAP, "BPBD@city", None)
    assert answer.considered == (Lost("M9", "BPBD@city", Rejected.AGENCY_NOT_VALID),)


@pytest.mark.parametrize("period", [{"valid_to": DAY.date()}, {"valid_from": DAY.date() + timedelta(days=1)}])
def test_an_agency_out_of_its_time_leaves_a_gap(period: dict[str, Any]) -> None:
    answer = ask(mandate(), holders=(replace(KPU, **period),))
    assert (answer.outcome, answer.missing_office) == (Outcome.GAP, "KPU@city")


def test_an_agency_of_another_city_leaves_a_gap() -> None:
    assert ask(mandate(), region="35.79").missing_office == "KPU@city"


def test_the_most_local_holder_of_an_office_has_it() -> None:
    holders = Holder("NATION", "KPU@city", ()), Holder("DISTRICT", "KPU@city", ("35.73.05", "35.73.01")), KPU
    assert ask(mandate(), holders=holders).accountable == "DISTRICT"
    assert ask(mandate(), holders=holders, region="35.73.04").accountable == "KPU_KOTA"
    assert ask(mandate(), holders=holders, region="11.01").accountable == "NATION"


def test_supporters_are_named_once_without_the_owner_and_without_empty_offices() -> None:
    row = mandate(supporting=("POLRES@city", "KPU@city", "BPBD@city", "POLRES@city"), informed=("BAWASLU@city",))
    answer = ask(row)
    assert (answer.supporting, answer.informed) == (("POLRESTA",), ("BAWASLU_KOTA",))


# the law's basis


def test_a_row_without_an_office_says_that_the_law_gives_no_basis() -> None:
    answer = ask(mandate("M13", ""), mandate("M14", valid_from=date(2024, 11, 14)))
    assert (answer.outcome, answer.accountable) == (Outcome.NO_LEGAL_BASIS, None)
    assert answer.mandate is not None
    assert answer.mandate.id == "M13"
    assert lost(answer) == {"M14": Rejected.NOT_YET_IN_FORCE}


def basis(name: str, **said: Any) -> Basis:
    return Basis(name, None, name, **said)


def test_the_answer_lists_only_instruments_in_force_on_the_day() -> None:
    listed = (
        basis("since", in_force_from=DAY.date()),
        basis("from_tomorrow", in_force_from=DAY.date() + timedelta(days=1)),
        basis("until_today", in_force_to=DAY.date()),
        basis("until_tomorrow", in_force_to=DAY.date() + timedelta(days=1)),
        basis("of_this_year", year=2024),
        basis("of_next_year", year=2025),
        basis("of_next_year_but_dated", year=2025, in_force_from=START),
        basis("unknown"),
    )
    names = [one.instrument for one in ask(mandate(legal_basis=listed)).legal_basis]
    assert names == ["since", "until_tomorrow", "of_this_year", "of_next_year_but_dated", "unknown"]


# own cases


def test_a_recused_office_gives_way_to_its_successor() -> None:
    rule = recusal("KPU@city", "BAWASLU@city")
    answer = ask(mandate(supporting=("BAWASLU@city",)), recused=(rule,), subject_kind="kpu_member")
    assert (answer.outcome, answer.accountable, answer.recusals) == (Outcome.RESOLVED, "BAWASLU_KOTA", (rule,))
    assert answer.supporting == ()


def test_a_recusal_without_successor_leaves_nobody() -> None:
    answer = ask(mandate(), recused=(recusal("KPU@city", ""),), subject_kind="kpu_member")
    assert (answer.outcome, answer.accountable) == (Outcome.RECUSED, None)
    assert answer.considered == (Lost("M1", "KPU@city", Rejected.RECUSED),)


def test_a_successor_that_is_recused_too_gives_way_in_turn() -> None:
    chain = recusal("KPU@city", "BAWASLU@city"), recusal("BAWASLU@city", "POLRES@city")
    answer = ask(mandate(), recused=chain, subject_kind="kpu_member")
    assert (answer.accountable, answer.recusals) == ("POLRESTA", chain)


@pytest.mark.parametrize("back_to", ["KPU@city", "BAWASLU@city", "POLRES@city"])
def test_recusals_in_a_circle_leave_nobody_and_end(back_to: str) -> None:
    circle = (
        recusal("KPU@city", "BAWASLU@city"),
        recusal("BAWASLU@city", "POLRES@city"),
        recusal("POLRES@city", back_to),
    )
    answer = ask(mandate(), recused=circle, subject_kind="kpu_member")
    assert (answer.outcome, answer.accountable) == (Outcome.RECUSED, None)


def test_a_successor_that_no_agency_holds_is_a_gap_that_names_it() -> None:
    answer = ask(mandate(), recused=(recusal("KPU@city", "DKPP@national"),), subject_kind="kpu_member")
    assert (answer.outcome, answer.missing_office) == (Outcome.GAP, "DKPP@national")


def test_the_subject_s_own_recusal_counts_before_that_for_any_subject() -> None:
    rules = recusal("KPU@city", "", subject_kind="any"), recusal("KPU@city", "BAWASLU@city")
    assert ask(mandate(), recused=rules, subject_kind="kpu_member").accountable == "BAWASLU_KOTA"
    assert ask(mandate(), recused=rules, subject_kind="city_head").outcome is Outcome.RECUSED


@pytest.mark.parametrize(
    "other",
    [
        {"subject_kind": "police_officer_city"},
        {"function": "sanction"},
        {"excluded": "KPU@province"},
        {"valid_to": DAY.date()},
        {"valid_from": DAY.date() + timedelta(days=1)},
    ],
)
def test_a_recusal_of_another_subject_function_office_or_time_bars_nobody(other: dict[str, Any]) -> None:
    rule = recusal(other.pop("excluded", "KPU@city"), "BAWASLU@city", **other)
    answer = ask(mandate(), recused=(rule,), subject_kind="kpu_member")
    assert (answer.accountable, answer.recusals) == ("KPU_KOTA", ())


# a proposed owner

FOREIGN_FORUM = Holder("FORUM_KAB", "FORUM@city", ("35.07",), may_be_accountable=False)
FORUM = replace(FOREIGN_FORUM, code="FORUM_KOTA", regions=("35.73",))


def test_a_proposed_owner_is_refused_for_the_first_reason_of_the_order() -> None:
    """Each line takes the reason of the line above away; everything below still holds."""
    own_case = recusal("KPU@city", "BAWASLU@city")
    nothing, no_basis, gap = (), (mandate("none", ""),), (mandate("gap", "BPBD@city"),)
    lines = [
        (nothing, FOREIGN_FORUM, RefusalKind.OUT_OF_REGION),
        (nothing, FORUM, RefusalKind.NOT_ACCOUNTABLE_TYPE),
        (nothing, KPU, RefusalKind.NO_COMPETENT_AGENCY),
        (gap, KPU, RefusalKind.NO_COMPETENT_AGENCY),
        (no_basis, KPU, RefusalKind.NO_LEGAL_BASIS),
        ((mandate(),), KPU, RefusalKind.OWN_CASE),
        ((mandate(),), POLRES, RefusalKind.OUT_OF_MANDATE),
        ((mandate(),), BAWASLU, None),
    ]
    for rows, proposed, reason in lines:
        law = Law(rows, (own_case,), (KPU, BAWASLU, POLRES, FORUM, FOREIGN_FORUM))
        answer = resolve(law, question(subject_kind="kpu_member"))
        assert refusal(law, answer, proposed) is reason, (rows, proposed)


def test_where_everybody_is_recused_any_proposed_owner_is_refused_as_own_case() -> None:
    law = Law((mandate(),), (recusal("KPU@city", ""),), (KPU, BAWASLU))
    answer = resolve(law, question(subject_kind="kpu_member"))
    assert refusal(law, answer, BAWASLU) is RefusalKind.OWN_CASE
