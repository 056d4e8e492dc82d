"""Tasks: show, log, update."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sql
from uuid_utils.compat import uuid7

from app.db import Row, Writer, one, rows, value
from app.entries import Computed, insert
from app.errors import (
    DuplicateExternalReference,
    TransitionNotAllowed,
    ValidationFailed,
)
from app.models import Share, Task, TaskVulnerability
from app.rules import policy, regions, workflow
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.law import WIB, Law, Question
from app.rules.policy import Permission
from app.rules.vocabulary import Classification, RequestedClassification, Standing, Status
from app.schemas.tasks import TaskInput, TaskPatch
from app.services import law, log, moments, records, visibility
from app.services.log import Fact
from app.services.moves import available, shown
from app.services.placement import Placeable, Placement, decide_placement, place
from app.services.task_rows import load_written, take_task
from app.services.versions import check_version, compare_and_set

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: The columns of a task that hold what its logger gave under the same name.
_AS_GIVEN: Final = (
    "title", "description", "category", "subcategory", "function", "variant", "subject_kind", "polling_station",
    "event_at", "due_at", "priority", "meeting", "external_reference", "proposed_owner",
)  # fmt: skip


async def log_task(
    writer: Writer,
    caller: Caller,
    input: TaskInput,
    *,
    decision: UUID | None = None,
) -> dict[str, Any]:
    """Log a task: the law decides who owns it, and a referral goes to that agency unless it is the logger itself.

    Raises ValidationFailed, ClassificationRefused, DuplicateExternalReference, or the refusals of `law.determine`.
    """
    at = await moments.logged_at(writer, input.effective_at)
    if input.event_at is not None and input.event_at > max(at, datetime.now(UTC)):
        raise records.refused("/event_at", "in_future", "It has not happened yet.", "Hal itu belum terjadi.")
    asked = _question(input, at)
    bearing = await law.load(writer, asked, proposed=input.proposed_owner, function=input.function)
    new, reference = uuid7(), _reference(input.region, at)
    await _refuse_duplicate(writer, caller, new, input.external_reference)
    context = await _context(writer, caller, input, decision, id=new, reference=reference)
    placed = None if input.draft else await _placement(writer, caller, input, bearing, asked, id=new)
    while context["taken"]:
        reference = _reference(input.region, at)
        context["taken"] = await value(writer, "select app.reference_taken(:reference)", reference=reference)
    own = {"id": new, "reference": reference, "decision": decision, "effective_at": at, "last_effective_at": at}
    given = {**_given(caller, input, context), **own, **(placed.values if placed else {})}
    task = await insert(writer, Task, given | _readers(input, given, placed))
    await _attach(writer, caller, new, input)
    beside = await place(writer, placed, task_id=new, at=at) if placed else []
    logged = Fact(
        kind=EventKind.TASK_LOGGED if placed else EventKind.TASK_DRAFTED,
        on="task",
        id=new,
        task_id=new,
        effective_at=at,
        versions=(None, 1),
        payload={"from": None, **(placed.said if placed else {"to": Status.DRAFT}), "reference": reference},
        state={**task, "region": input.region, **(placed.state if placed else {})},
    )
    await log.record_all(writer, caller, [logged, *beside])
    await writer.flush()
    return shown(caller, await load_written(writer, caller, new))


def _question(input: TaskInput, at: datetime) -> Question:
    return law.question(
        category=input.category,
        subcategory=input.subcategory,
        function=input.function,
        variant=input.variant,
        subject_kind=input.subject_kind,
        region=input.region,
        at=at,
        event_at=input.event_at,
    )


async def _placement(
    writer: Writer, caller: Caller, input: TaskInput, bearing: Law, asked: Question, *, id: UUID
) -> Placement:
    answer = law.decide(bearing, asked, proposed=input.proposed_owner, pointer="/proposed_owner")
    task = Placeable(id, caller.body, input.function, input.variant, input.supporting)
    return await decide_placement(writer, task, answer, vulnerabilities=input.vulnerabilities, at=asked.at)


def _given(caller: Caller, input: TaskInput, context: Row) -> Row:
    """The columns of a new task that its logger decides, as a draft."""
    return {
        **{name: getattr(input, name) for name in _AS_GIVEN},
        "region_code": input.region,
        "classification": records.classification(input.classification, context["default_classification"]),
        "chosen_supporting": input.supporting,
        "logged_by": caller.body,
        "holder": caller.body,
        "recused_offices": context["recused_offices"],
        "status": Status.DRAFT,
    }


def _readers(input: TaskInput, given: Row, placed: Placement | None) -> dict[str, Computed]:
    parties = [given["logged_by"]]
    if placed:
        parties += [placed.party.agency, *placed.party.supporting, *placed.party.informed]
    shares = {share.agency: share.level for share in input.shares}
    return visibility.first_readers(
        parties, shares, region=input.region, classification=given["classification"], draft=input.draft
    )


async def _context(
    writer: Writer, caller: Caller, input: TaskInput, decision: UUID | None, *, id: UUID, reference: str
) -> Row:
    """What the input refers to, checked through the caller's own sight; raises ValidationFailed.

    In the same round trip, the transaction takes the new task up, to work on it from here on, and learns whether its
    reference is taken.
    """
    mapped, held = visibility.register_visible("vulnerability"), visibility.register_visible("meeting")
    context = await one(
        writer,
        f"""select
        (select coalesce(s.default_classification, c.default_classification) from category c
            left join category s on s.code = :subcategory where c.code = :category) as default_classification,
        array(select distinct excluded_office from recusal where subject_kind = :subject) as recused_offices,
        array(select t.id from vulnerability t where t.id = any(:vulnerabilities) and {mapped}) as vulnerabilities,
        array(select t.id from meeting t where t.id = :meeting and {held}) as meetings,
        array(select code from agency where code = any(:agencies)) as agencies,
        app.take_up(:id), app.reference_taken(:reference) as taken""",
        category=input.category,
        subcategory=input.subcategory,
        subject=input.subject_kind or "",
        vulnerabilities=input.vulnerabilities,
        meeting=input.meeting,
        agencies=[share.agency for share in input.shares],
        id=id,
        reference=reference,
        **visibility.reach(caller),
    )
    wrong = [
        *records.unknown_among("vulnerability", "/vulnerabilities", input.vulnerabilities, context["vulnerabilities"]),
        *records.unknown_among("agency", "/shares", [share.agency for share in input.shares], context["agencies"]),
    ]
    if input.meeting is not None and decision is None and not context["meetings"]:
        wrong.append(records.unknown("meeting", "/meeting"))
    if wrong:
        raise ValidationFailed(errors=wrong)
    return context


def _reference(region: str, at: datetime) -> str:
    """A reference for people: the seat of the region, the year, and a random part that betrays no number of tasks."""
    tail = "".join(secrets.choice(_CROCKFORD) for _ in range(6))
    return f"{regions.seat(region)}-{at.astimezone(WIB).year}-{tail}"


async def _attach(writer: Writer, caller: Caller, task_id: UUID, input: TaskInput) -> None:
    await _link(writer, task_id, input.vulnerabilities)
    for share in input.shares:
        writer.add(Share(task_id=task_id, agency=share.agency, level=share.level, shared_by=caller.body))


_ORDER: Final = [Classification.TERBUKA, Classification.TERBATAS, Classification.RAHASIA]


async def update_task(writer: Writer, caller: Caller, id: UUID, version: int, patch: TaskPatch) -> dict[str, Any]:
    """Change what does not decide ownership (merge patch).

    Raises NotFound, PermissionDenied, StaleVersion, TransitionNotAllowed, ClassificationRefused,
    DuplicateExternalReference, ValidationFailed.
    """
    task = await take_task(writer, caller, id)
    held = visibility.standings(caller, task)
    policy.require(caller.role, Permission.TASK_UPDATE, held)
    check_version(task["version"], version)
    if task["status"] in workflow.ENDED:
        raise TransitionNotAllowed(action="update", current=task["status"], lawful=available(caller, task))
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    linked = changed.pop("vulnerabilities", None)
    if "classification" in changed:
        changed["classification"] = _reclassified(caller, task, patch.classification, held)
    if "external_reference" in changed:
        policy.require(caller.role, Permission.TASK_RENUMBER, held)
        await _refuse_duplicate(writer, caller, task["id"], patch.external_reference)
    open_to_change = frozenset(Status) - workflow.ENDED
    won = await compare_and_set(writer, "task", {"id": id}, task["version"], changed, sources=open_to_change)
    if linked is not None:
        await _relink(writer, caller, task["id"], linked)
    await log.record(
        writer,
        caller,
        EventKind.TASK_UPDATED,
        on="task",
        id=task["id"],
        task_id=task["id"],
        effective_at=task["now"],
        versions=(version, won["version"]),
        payload={"changed": sorted(patch.model_fields_set)},
        state=changed,
    )
    await writer.flush()
    await visibility.keep_readers_after(writer, task["id"], changed)
    return shown(caller, await load_written(writer, caller, task["id"]))


def _reclassified(caller: Caller, task: Row, asked: RequestedClassification, held: frozenset[Standing]) -> str:
    """The new class: raised by whoever may change the task, lowered by the originating agency only."""
    new = records.classification(asked, task["classification"])
    if _ORDER.index(Classification(new)) < _ORDER.index(Classification(task["classification"])):
        policy.require(caller.role, Permission.TASK_DECLASSIFY, held)
    return new


async def _refuse_duplicate(writer: Writer, caller: Caller, id: UUID, external: str | None) -> None:
    """Refuse a number that the agency uses for another task already; that is named to whoever may see it."""
    if external is None:
        return
    taken = await value(
        writer,
        f"select case when {visibility.task_visible(caller)} then t.reference else '' end {visibility.tasks(caller)}"
        " where t.logged_by = :agency and t.external_reference = :external and t.id <> :id",
        agency=caller.agency,
        external=external,
        id=id,
        **visibility.reach(caller),
    )
    if taken is not None:
        raise DuplicateExternalReference(reference=taken or None)


async def _relink(writer: Writer, caller: Caller, task_id: UUID, linked: list[UUID]) -> None:
    await records.require_vulnerabilities(writer, caller, linked, pointer="/vulnerabilities")
    await rows(
        writer,
        "delete from task_vulnerability l using vulnerability t where l.task_id = :id and t.id = l.vulnerability_id"
        f" and {visibility.register_visible('vulnerability')} returning t.id",
        id=task_id,
        **visibility.reach(caller),
    )
    await _link(writer, task_id, linked)


async def _link(writer: Writer, task_id: UUID, vulnerabilities: list[UUID]) -> None:
    if vulnerabilities:
        links = [{"task_id": task_id, "vulnerability_id": one} for one in vulnerabilities]
        await writer.execute(sql.insert(TaskVulnerability), links)
