"""Succession: when a mandate ends, or an agency, its open tasks go by law to whoever is competent then.

The worker looks for what an end has left behind, not for ends: whatever befell it, or however late a task was told,
each task is moved once. It waits for nobody: what somebody else works on is left for the next round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Row, Writer, rows, settings_of
from app.rules import mandates, succession
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.law import ANY_SUBJECT, Law, Outcome, Question, Resolution
from app.rules.succession import Because, Heir
from app.services import inherited_referrals, law, log
from app.services.assignments import Party
from app.services.escalations import escalated
from app.services.handovers import Handover, carry_out, mark_ended

#: How many tasks are moved in one transaction.
FULL: Final = 250

#: The edition of the law rises with every day and with every change of a row or an agency, once it is to be seen.
EDITION: Final = """
    select now() as now, cast(now() at time zone 'Asia/Jakarta' as date) as today,
        (cast(now() at time zone 'Asia/Jakarta' as date) - date '2000-01-01') * cast(10000000000 as bigint)
            + (select sum(version) from mandate) + (select sum(version) from agency) as edition
"""
_OPEN: Final = (
    f"t.status in ({', '.join(repr(str(one)) for one in sorted(succession.UNDER_MANDATE))})"
    " and t.mandate_checked < :edition and t.updated_at <= now() - make_interval(secs => :rest)"
)
# Each branch walks along an index of its own: mostly there is nothing to find.
_DUE: Final = f"""
    select t.id, t.version, t.status, t.category, t.subcategory, t.function, t.variant, t.subject_kind, t.region_code,
        coalesce(t.event_at, t.effective_at) as event_at, t.last_effective_at, t.accountable, t.mandate,
        t.mandate_ended, t.chosen_supporting, t.open_referral, a.valid_to as agency_to,
        case when m.resolve_at <> 'event' then m.valid_to end as mandate_to,
        array(select l.vulnerability_id from task_vulnerability l where l.task_id = t.id) as vulnerabilities
    from task t join mandate m on m.id = t.mandate join agency a on a.code = t.accountable
    where {_OPEN} and t.id in (
        (select t.id from mandate m join task t on t.mandate = m.id
            where m.valid_to <= :today and m.resolve_at <> 'event' and {_OPEN} limit {FULL})
        union all (select t.id from agency a join task t on t.accountable = a.code
            where a.valid_to <= :today and {_OPEN} limit {FULL})
        union all (select t.id from task t where t.mandate_ended and {_OPEN} limit {FULL})
    )
    order by t.id limit {FULL} for update of t skip locked
"""
_CHECKED: Final = "update task set mandate_checked = :edition where id = any(:ids) returning id"


@dataclass(frozen=True, slots=True)
class Ended:
    """An open task whose mandate or agency has ended, and how the law answers from then on."""

    task: Row
    at: datetime
    because: Because
    heir: Heir | None
    answer: Resolution

    @property
    def id(self) -> UUID:
        """The task's id."""
        found: UUID = self.task["id"]
        return found

    @property
    def stays(self) -> bool:
        """Whether nothing changes: the same agency under the same row, or a gap that is known already."""
        if self.heir is None:
            return bool(self.task["mandate_ended"])
        same = (self.heir.agency, self.heir.mandate) == (self.task["accountable"], self.task["mandate"])
        return same and not self.task["mandate_ended"]


async def succeed(writer: Writer, *, by: Caller) -> int:
    """Resolve again what an ended mandate or agency holds: one batch in this transaction; returns how many it took up.

    A successor takes over without acceptance, the same agency goes on under another row, or the task is marked.
    """
    edition = await db.one(writer, EDITION)
    rest = settings_of(writer).succession_rest
    due = await rows(writer, _DUE, today=edition["today"], edition=edition["edition"], rest=rest)
    found = await _ask(writer, await inherited_referrals.hold(writer, due), edition["now"])
    moved = [one for one in found if one.heir is not None and not one.stays]
    marked = [one for one in found if one.heir is None and not one.stays]
    await _hand_over(writer, by, moved)
    await _mark(writer, by, marked)
    await writer.flush()
    if moved or marked:
        changed = [one.id for one in (*moved, *marked)]
        await rows(writer, "select app.keep_readers(id) from unnest(cast(:ids as uuid[])) c (id)", ids=changed)
    checked = [one.id for one in found if one.heir is None or one.stays]  # who has an heir may soon have another one
    await rows(writer, _CHECKED, ids=checked, edition=edition["edition"])
    return len(due)


def question(task: Row, *, at: datetime) -> Question:
    """The question that a task under a mandate, or many that are alike, put to the law at an instant."""
    return Question(
        category=task["category"],
        function=task["function"],
        region=task["region_code"],
        at=at,
        event_at=task["event_at"],
        subcategory=task["subcategory"] or "",
        variant=task["variant"] or "",
        subject_kind=task["subject_kind"] or ANY_SUBJECT,
    )


async def _ask(writer: Writer, tasks: Iterable[Row], now: datetime) -> list[Ended]:
    """How the law answers for each task from the end of its mandate on; the rows of a matter are loaded once."""
    by_matter: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for task in tasks:
        by_matter[task["category"], task["function"]].append(task)
    found = []
    for (_, function), group in by_matter.items():
        bearing = await law.load_all(writer, [question(one, at=now) for one in group], function=function)
        found += [_answered(bearing, one, now) for one in group]
    return sorted(found, key=lambda one: one.id)


def _answered(bearing: Law, task: Row, now: datetime) -> Ended:
    end = succession.ended(now, task["mandate_to"], task["agency_to"])
    since, because = end or (task["last_effective_at"], Because.LAW_CHANGED)
    asked = question(task, at=max(since, task["last_effective_at"]))  # never before what people have entered
    heir = succession.heir(bearing, asked, until=now)
    if task["mandate_ended"]:
        because = Because.LAW_CHANGED
    if heir is None:
        return Ended(task, asked.at.astimezone(UTC), because, None, mandates.resolve(bearing, asked))
    return Ended(task, heir.at.astimezone(UTC), because, heir, heir.answer)


# what the law does


async def _hand_over(writer: Writer, by: Caller, moved: list[Ended]) -> None:
    handovers = [await _handover(writer, one) for one in moved]
    await carry_out(writer, handovers)
    for one, handover in zip(moved, handovers, strict=True):
        party, inherited = handover.party, handover.inherited
        said = {
            "from_agency": one.task["accountable"],
            "to_agency": party.agency,
            "from_mandate": one.task["mandate"],
            "to_mandate": party.mandate,
        }
        state = {
            "accountable": party.agency,
            "holder": party.agency,
            "mandate": party.mandate,
            "mandate_ended": False,
            "supporting": party.supporting,
            "informed": party.informed,
            **inherited.state,
        }
        await _record(writer, by, EventKind.TASK_SUCCEEDED, one, said, state)
        await inherited_referrals.follow(writer, by, inherited, at=one.at, because=one.because)


async def _handover(writer: Writer, ended: Ended) -> Handover:
    """Who takes part from now on; whom the logger chose to support stays chosen while the agency is the same."""
    task, answer = ended.task, ended.answer
    if ended.heir is None:
        raise AssertionError(ended)
    informed = answer.informed
    if task["vulnerabilities"]:
        informed = await escalated(writer, answer, task["vulnerabilities"])
    supporting, chosen = answer.supporting, task["chosen_supporting"]
    if chosen is not None and ended.heir.agency == task["accountable"]:
        supporting = tuple(one for one in supporting if one in chosen)
    party = Party(ended.heir.agency, ended.heir.mandate, supporting, informed)
    inherited = inherited_referrals.after(task["referral"], before=task["accountable"], owner=party.agency)
    return Handover(ended.id, task["version"], ended.at, party, inherited)


async def _mark(writer: Writer, by: Caller, marked: list[Ended]) -> None:
    ends = [(one.id, one.task["version"], one.at) for one in marked]
    await mark_ended(writer, ends)
    for one in marked:
        gap = Outcome.GAP if one.answer.outcome is Outcome.RESOLVED else one.answer.outcome  # its agency has ended
        said = {"mandate": one.task["mandate"], "outcome": gap, "missing_office": one.answer.missing_office}
        await _record(writer, by, EventKind.TASK_MANDATE_ENDED, one, said, {"mandate_ended": True})


async def _record(
    writer: Writer, by: Caller, kind: EventKind, ended: Ended, said: dict[str, Any], state: dict[str, Any]
) -> None:
    task = ended.task
    await log.record(
        writer,
        by,
        kind,
        on="task",
        id=ended.id,
        task_id=ended.id,
        effective_at=ended.at,
        versions=(task["version"], task["version"] + 1),
        payload={"from": task["status"], "to": task["status"], **said, "because": ended.because},
        state=state,
    )
