"""Ask the law: load the rows that bear on a question, resolve, and turn a refusal into its problem."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from app.db import Executor, Row, one, value
from app.errors import (
    InvalidParameter,
    MandateGap,
    MandateMismatch,
    NoLegalBasis,
    Problem,
    Recusal,
    ValidationFailed,
)
from app.rules import law as statute
from app.rules import mandates, regions
from app.rules.law import Law, Outcome, Question, RefusalKind, Resolution
from app.rules.vocabulary import Instant
from app.services import records

#: In one round trip: whether what a question names is known, and the rows of the law that bear on it.
_BEARING: Final = """
    with mandates as materialized (
        select m.id, m.category, m.function, m.accountable, m.resolve_at, m.valid_from, m.valid_to, m.subcategory,
            m.variant, m.region_code, m.supporting, m.informed, m.verified, array(
                select jsonb_build_object('instrument', split_part(b.ref, '#', 1),
                    'article', nullif(split_part(b.ref, '#', 2), ''), 'title', i.title_id, 'year', i.year,
                    'in_force_from', i.in_force_from, 'in_force_to', i.in_force_to)
                from unnest(m.legal_basis) with ordinality as b(ref, place)
                join legal_instrument i on i.id = split_part(b.ref, '#', 1) order by b.place) as basis
        from mandate m where m.category = :category and (cast(:function as text) is null or m.function = :function)
    ), recusals as materialized (
        select * from recusal where subject_kind = 'any' or subject_kind = any(:subject_kinds)
    ), offices as (
        select unnest(accountable || supporting || informed) as name from mandates
        union select successor from recusals union select unnest(cast(:offices as text[]))
    ), holders as (
        select a.code, a.office || '@' || a.tier as office, a.regions, a.valid_from, a.valid_to, y.may_be_accountable
        from (
            select r.agency from offices o join agency_region r on r.office = split_part(o.name, '@', 1)
                and r.tier = split_part(o.name, '@', 2) and r.region_code = any(:path)
            union select :proposed
        ) h join agency a on a.code = h.agency join agency_type y on y.code = a.type
    )
    select exists (select from region where code = :region) as region,
        exists (select from category where code = :category and parent_code is null) as category,
        :subcategory = '' or exists (select from category where code = :subcategory and parent_code = :category)
            as subcategory,
        array(select to_jsonb(m) from mandates m order by m.id) as mandates,
        array(select to_jsonb(r) from recusals r) as recusals,
        array(select to_jsonb(h) from holders h) as holders
"""


def question(
    *,
    category: str,
    function: str,
    region: str,
    at: datetime,
    event_at: datetime | None = None,
    subcategory: str | None = None,
    variant: str | None = None,
    subject_kind: str | None = None,
) -> Question:
    """A question in the words of the API; whether what it names is known, `load` finds."""
    return Question(
        category=category,
        function=function,
        region=region,
        at=at,
        event_at=event_at or at,
        subcategory=subcategory or "",
        variant=variant or "",
        subject_kind=subject_kind or statute.ANY_SUBJECT,
    )


def question_of(task: Row, *, at: datetime) -> Question:
    """The question that a task puts at an instant; without an event's own instant, it was logged when it happened."""
    return question(
        category=task["category"],
        subcategory=task["subcategory"],
        function=task["function"],
        variant=task["variant"],
        subject_kind=task["subject_kind"],
        region=task["region_code"],
        at=at,
        event_at=task["event_at"] or task["effective_at"],
    )


async def load(executor: Executor, asked: Question, *, proposed: str | None = None, function: str | None = None) -> Law:
    """The rows that bear on one question, as `load_all` finds them."""
    return await load_all(executor, [asked], proposed=proposed, function=function)


async def load_all(
    executor: Executor,
    asked: Sequence[Question],
    *,
    proposed: str | None = None,
    function: str | None = None,
    offices: Collection[str] = (),
) -> Law:
    """The rows that bear on questions about one category, wherever and about whomever.

    `function` None: of all functions; `proposed` adds an agency to the holders, `offices` theirs.
    Raises ValidationFailed where the first one names a category, sub-category or region that is none.
    """
    found = await one(
        executor,
        _BEARING,
        **{name: getattr(asked[0], name) for name in ("region", "category", "subcategory")},
        function=function,
        subject_kinds=sorted({one.subject_kind for one in asked}),
        offices=sorted({*offices}),
        path=["", *sorted({place for one in asked for place in regions.path(one.region)})],
        proposed=proposed,
    )
    wrong = [records.unknown(name, f"/{name}") for name in ("region", "category", "subcategory") if not found[name]]
    if wrong:
        raise ValidationFailed(errors=wrong)
    return Law(
        [matrix_row(_dated(row)) for row in found["mandates"]],
        [_recusal(_dated(row)) for row in found["recusals"]],
        [statute.Holder(**{**_dated(row), "regions": tuple(row["regions"])}) for row in found["holders"]],
    )


def _dated(row: Row) -> Row:
    """A row as JSON has it, with the days of its period."""
    return row | {name: row[name] and date.fromisoformat(row[name]) for name in ("valid_from", "valid_to")}


def matrix_row(row: Row) -> statute.Mandate:
    """A row of the matrix as the rules ask it."""
    return statute.Mandate(
        id=row["id"],
        category=row["category"],
        function=row["function"],
        accountable=row["accountable"],
        resolve_at=Instant(row["resolve_at"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        subcategory=row["subcategory"],
        variant=row["variant"],
        region=row["region_code"],
        supporting=tuple(row["supporting"]),
        informed=tuple(row["informed"]),
        legal_basis=tuple(_basis(basis) for basis in row["basis"]),
        verified=row["verified"],
    )


def _basis(found: dict[str, Any]) -> statute.Basis:
    days = {name: found[name] and date.fromisoformat(found[name]) for name in ("in_force_from", "in_force_to")}
    return statute.Basis(**{**found, **days})


def _recusal(row: Row) -> statute.Recusal:
    return statute.Recusal(
        subject_kind=row["subject_kind"],
        excluded_office=row["excluded_office"],
        function=row["applies_to_function"],
        successor=row["successor"],
        reason=row["reason"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )


async def ask(executor: Executor, *, at: datetime | None, **matter: Any) -> dict[str, Any]:
    """Who is competent, as the dry run shows it; `at` None is now. Raises InvalidParameter."""
    instant = at or await value(executor, "select clock_timestamp()")
    asked = question(at=instant, **matter)
    try:
        law = await load(executor, asked, function=asked.function)
    except ValidationFailed as refused:
        named = [replace(fault, parameter=fault.pointer[1:], pointer=None) for fault in refused.errors if fault.pointer]
        raise InvalidParameter(errors=named) from refused
    return shown(mandates.resolve(law, asked))


async def determine(executor: Executor, asked: Question, *, proposed: str | None, pointer: str) -> Resolution:
    """Who is competent, after checking a proposed owner.

    Raises MandateMismatch, MandateGap, NoLegalBasis or Recusal; ValidationFailed if no such agency is known.
    """
    law = await load(executor, asked, proposed=proposed, function=asked.function)
    return decide(law, asked, proposed=proposed, pointer=pointer)


def decide(law: Law, asked: Question, *, proposed: str | None, pointer: str) -> Resolution:
    """The same, by rows that were loaded with the proposed owner."""
    answer = mandates.resolve(law, asked)
    if proposed is None:
        if answer.outcome is not Outcome.RESOLVED:
            raise refusal(answer, None, _KIND_OF[answer.outcome])
        return answer
    holder = next((one for one in law.holders if one.code == proposed), None)
    if holder is None:
        raise ValidationFailed(errors=[records.unknown("agency", pointer)])
    kind = mandates.refusal(law, answer, holder)
    if kind is not None:
        raise refusal(answer, proposed, kind)
    return answer


async def check_suggestion(executor: Executor, asked: Question, *, suggested: str) -> None:
    """Check that an agency suggested on return is competent in this matter at all; raises MandateMismatch."""
    law = await load(executor, asked, proposed=suggested)
    for function, variant in {(row.function, row.variant) for row in law.mandates}:
        answer = mandates.resolve(law, replace(asked, function=function, variant=variant))
        if answer.accountable == suggested:
            return
    await determine(executor, asked, proposed=suggested, pointer="/suggested_agency")


_KIND_OF: Final = {
    Outcome.GAP: RefusalKind.NO_COMPETENT_AGENCY,
    Outcome.NO_LEGAL_BASIS: RefusalKind.NO_LEGAL_BASIS,
    Outcome.RECUSED: RefusalKind.OWN_CASE,
}
_PROBLEM_OF: Final[dict[RefusalKind, type[Problem]]] = {
    RefusalKind.OUT_OF_REGION: MandateMismatch,
    RefusalKind.NOT_ACCOUNTABLE_TYPE: MandateMismatch,
    RefusalKind.NO_COMPETENT_AGENCY: MandateGap,
    RefusalKind.NO_LEGAL_BASIS: NoLegalBasis,
    RefusalKind.OWN_CASE: Recusal,
    RefusalKind.OUT_OF_MANDATE: MandateMismatch,
}


def refusal(answer: Resolution, proposed: str | None, kind: RefusalKind) -> Problem:
    """The problem that a refusal amounts to, with the facts of the case: competent agency, articles, dates."""
    row = answer.mandate
    return _PROBLEM_OF[kind](
        agency=proposed,
        refusal_kind=kind.value,
        competent_agency=answer.accountable,
        missing_office=answer.missing_office,
        mandate=row.id if row else None,
        legal_basis=[_shown_basis(basis) for basis in answer.legal_basis],
        valid_from=row.valid_from.isoformat() if row else None,
        valid_to=row.valid_to.isoformat() if row and row.valid_to else None,
    )


def _shown_basis(basis: statute.Basis) -> dict[str, Any]:
    return {"instrument": basis.instrument, "article": basis.article, "title": basis.title}


def shown(answer: Resolution) -> dict[str, Any]:
    """The answer of a resolution, as it is shown."""
    asked, row = answer.question, answer.mandate
    accountable = None
    if answer.accountable is not None and row is not None:
        accountable = {
            "agency": answer.accountable,
            "mandate": row.id,
            "legal_basis": [_shown_basis(basis) for basis in answer.legal_basis],
            "valid_from": row.valid_from,
            "valid_to": row.valid_to,
            "verified": row.verified,
        }
    return {
        "category": asked.category,
        "subcategory": asked.subcategory or None,
        "function": asked.function,
        "variant": asked.variant or None,
        "subject_kind": None if asked.subject_kind == statute.ANY_SUBJECT else asked.subject_kind,
        "region": asked.region,
        "at": asked.at.astimezone(UTC),
        "event_at": asked.event_at.astimezone(UTC),
        "outcome": answer.outcome,
        "accountable": accountable,
        "missing_office": answer.missing_office,
        "supporting": answer.supporting,
        "informed": answer.informed,
        "recusals": [
            {
                "subject_kind": row.subject_kind,
                "excluded_office": row.excluded_office,
                "function": row.function,
                "successor": row.successor or None,
                "reason": row.reason,
            }
            for row in answer.recusals
        ],
        "considered": [
            {"mandate": lost.mandate, "office": lost.office or None, "rejected_because": lost.rejected_because}
            for lost in answer.considered
        ],
    }
