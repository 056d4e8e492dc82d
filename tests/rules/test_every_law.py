"""Who is competent: what holds of every law and every question."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from small_law import lost, mandate, question, recusal

from app.rules import regions
from app.rules.law import WIB, Holder, Law, Mandate, Outcome, Question, Rejected
from app.rules.mandates import day_of, decisive_day, refusal, resolve
from app.rules.vocabulary import Instant

AREAS = ("", "35", "35.73", "35.73.05", "35.07")
OFFICES = ("KPU@city", "BAWASLU@city", "POLRES@city", "BPBD@city")
days = st.dates(date(2024, 8, 18), date(2024, 8, 23))
keys = st.tuples(st.sampled_from(AREAS), st.sampled_from(("", "wet")), st.sampled_from(("", "crime")))
mandates = st.builds(
    mandate,
    name=st.just(""),
    office=st.sampled_from((*OFFICES, "")),
    category=st.sampled_from(("logistics", "recount")),
    resolve_at=st.sampled_from(Instant),
    valid_from=days,
    valid_to=st.none() | days,
)


@st.composite
def laws(draw: st.DrawFn) -> Law:
    """A law in which no two rows have the same key, as the exclusion constraint has it."""
    drawn = zip(draw(st.lists(keys, unique=True, max_size=8)), draw(st.lists(mandates, max_size=8)), strict=False)
    rows = [
        replace(row, id=f"M{place}", region=area, subcategory=sub, variant=variant)
        for place, ((area, sub, variant), row) in enumerate(drawn)
    ]
    offices = st.sampled_from(OFFICES)
    barred = draw(st.lists(st.builds(recusal, offices, offices | st.just("")), max_size=3))
    holders = draw(
        st.lists(
            st.builds(
                Holder,
                code=st.sampled_from("ABCD"),
                office=offices,
                regions=st.sampled_from(((), ("35.73",), ("35.07",))),
                valid_to=st.none() | days,
            ),
            max_size=4,
        )
    )
    return Law(rows, barred, holders)


questions = st.builds(
    question,
    region=st.sampled_from(("35", "35.73", "35.73.05", "35.07")),
    subcategory=st.sampled_from(("", "wet")),
    variant=st.sampled_from(("", "crime")),
    subject_kind=st.sampled_from(("any", "kpu_member")),
    at=st.datetimes(datetime(2024, 8, 18), datetime(2024, 8, 24), timezones=st.just(WIB)),  # noqa: DTZ001
    event_at=st.datetimes(datetime(2024, 8, 18), datetime(2024, 8, 24), timezones=st.just(WIB)),  # noqa: DTZ001
)


def in_force(row: Mandate, asked: Question) -> bool:
    day = decisive_day(row, asked)
    return (
        regions.covers(row.region, asked.region)
        and row.subcategory in {"", asked.subcategory}
        and row.variant == asked.variant
        and row.valid_from <= day < (row.valid_to or date.max)
    )


@given(law=laws(), asked=questions)
def test_every_question_has_one_outcome_and_every_losing_row_is_listed_once(law: Law, asked: Question) -> None:
    answer = resolve(law, asked)
    rows = [row.id for row in law.mandates if row.category == asked.category]
    won = [answer.mandate.id] if answer.mandate and answer.outcome in {Outcome.RESOLVED, Outcome.NO_LEGAL_BASIS} else []
    assert sorted([*won, *lost(answer)]) == sorted(rows)
    assert len(answer.considered) == len(lost(answer))
    assert (answer.accountable is not None) == (answer.outcome is Outcome.RESOLVED)
    assert answer.missing_office is None or answer.outcome is Outcome.GAP


@given(law=laws(), asked=questions)
def test_the_winner_is_the_most_specific_row_in_force(law: Law, asked: Question) -> None:
    fitting = [row for row in law.mandates if row.category == asked.category and in_force(row, asked)]
    best = max(fitting, key=lambda row: (len(row.region), row.subcategory != ""), default=None)
    answer = resolve(law, asked)
    vacant = [row for row in law.mandates if lost(answer).get(row.id) is Rejected.AGENCY_NOT_VALID]
    assert ([answer.mandate] if answer.mandate else vacant) == ([best] if best else [])


@given(law=laws(), asked=questions)
def test_the_owner_holds_an_office_that_day_there_and_is_not_barred(law: Law, asked: Question) -> None:
    answer = resolve(law, asked)
    if answer.outcome is not Outcome.RESOLVED or answer.mandate is None:
        return
    day = decisive_day(answer.mandate, asked)
    office = answer.recusals[-1].successor if answer.recusals else answer.mandate.accountable
    barred = {row.excluded_office for row in law.recusals if asked.subject_kind == row.subject_kind}
    assert office not in barred
    assert any(
        one.code == answer.accountable
        and one.office == office
        and (one.valid_to is None or day < one.valid_to)
        and (not one.regions or any(regions.covers(area, asked.region) for area in one.regions))
        for one in law.holders
    )
    assert answer.accountable not in answer.supporting


@given(law=laws(), asked=questions, data=st.data())
def test_the_order_of_the_rows_decides_nothing(law: Law, asked: Question, data: st.DataObject) -> None:
    shuffled = replace(law, mandates=data.draw(st.permutations(law.mandates)))
    first, second = resolve(law, asked), resolve(shuffled, asked)
    assert replace(first, considered=()) == replace(second, considered=())
    assert lost(first) == lost(second)


@given(law=laws(), asked=questions)
def test_the_resolved_owner_is_the_only_one_not_refused(law: Law, asked: Question) -> None:
    answer = resolve(law, asked)
    accepted = {one.code for one in law.holders if refusal(law, answer, one) is None}
    assert accepted <= {answer.accountable}


@given(at=st.datetimes(datetime(2000, 1, 2), datetime(2090, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_the_day_of_an_instant_is_that_of_jakarta(at: datetime) -> None:
    midnight = datetime.combine(day_of(at), datetime.min.time(), WIB)
    assert midnight <= at < midnight + timedelta(days=1)
