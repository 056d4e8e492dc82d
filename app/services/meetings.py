"""Coordination meetings: hold, update, decide, read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Executor, Row, Writer, rows, value
from app.errors import ValidationFailed
from app.models import Decision, Meeting
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Classification, Standing
from app.schemas.meetings import DecisionInput, MeetingInput, MeetingListItem, MeetingPatch
from app.security import Keys
from app.services import filters, log, moments, records, tasks, visibility
from app.services.paging import Page
from app.services.versions import check_version, compare_and_set

_COLUMNS: Final = ", ".join(
    "t.region_code as region" if name == "region" else f"t.{name}" for name in MeetingListItem.model_fields
)
_FILTERS: Final = {
    "host": "t.host = any(:host)",
    "election": "t.election = :election",
    "region": filters.WITHIN,
    "external_reference": "t.external_reference = :external_reference",
}
_DOCUMENTS: Final = ("participants", "experts")


async def show_meeting(executor: Executor, caller: Caller, id: UUID) -> dict[str, Any]:
    """A meeting with its decisions; raises NotFound."""
    found = await records.load(executor, caller, "meeting", _COLUMNS, id)
    shown = {name: found[name] for name in MeetingListItem.model_fields}
    return {**shown, "decisions": await _decisions(executor, caller, id)}


async def list_decisions(executor: Executor, caller: Caller, id: UUID) -> list[Row]:
    """What a meeting decided, in order; raises NotFound."""
    await records.load(executor, caller, "meeting", "t.id", id)
    return await _decisions(executor, caller, id)


async def _decisions(executor: Executor, caller: Caller, meeting_id: UUID) -> list[Row]:
    return await rows(
        executor,
        "select s.id, s.meeting_id as meeting, s.number, s.text, s.text_en, s.agency,"
        f" array(select t.id {visibility.tasks(caller)} where t.decision = s.id"
        f" and {visibility.task_visible(caller)} order by t.id)"
        " as tasks, s.effective_at, s.recorded_at from decision s where s.meeting_id = :id order by s.number",
        id=meeting_id,
        **visibility.reach(caller),
    )


async def list_meetings(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """The meetings a caller may see, newest first."""
    return await records.page(
        executor, caller, keys, "meeting", _COLUMNS, _FILTERS, filters=filters, limit=limit, cursor=cursor
    )


async def hold_meeting(writer: Writer, caller: Caller, input: MeetingInput) -> dict[str, Any]:
    """Enter a meeting.

    Raises ValidationFailed, ClassificationRefused, DuplicateExternalReference.
    """
    at = await moments.logged_at(writer, input.effective_at)
    there = {f"/participants/{place}/agency": one.agency for place, one in enumerate(input.participants)}
    await records.require_known(writer, agencies=there, region=input.region, election=input.election, host=input.host)
    await records.refuse_duplicate(writer, caller, "meeting", input.external_reference)
    host = input.host or caller.body
    meeting = Meeting(
        id=await visibility.take_up(writer, uuid7()),
        **input.model_dump(mode="json", include={*_DOCUMENTS}),
        **input.model_dump(exclude={*_DOCUMENTS, "region", "host", "classification", "effective_at"}),
        region_code=input.region,
        host=host,
        classification=records.classification(input.classification, Classification.TERBUKA),
        logged_by=caller.body,
        effective_at=at,
    )
    writer.add(meeting)
    await _record(writer, caller, EventKind.MEETING_HELD, meeting.id, at, (None, 1), {"held_on": str(input.held_on)})
    await writer.flush()
    return await _show_written(writer, caller, meeting.id)


async def update_meeting(
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: int,
    patch: MeetingPatch,
) -> dict[str, Any]:
    """Change a meeting (merge patch).

    Raises NotFound, PermissionDenied, StaleVersion, ValidationFailed.
    """
    found = await _load_for(writer, caller, id, Permission.MEETING_UPDATE)
    check_version(found["version"], version)
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    there: dict[str, str] = {}
    if "participants" in changed:
        there = {f"/participants/{place}/agency": one.agency for place, one in enumerate(patch.participants)}
    await records.require_known(writer, agencies=there, election=changed.get("election"))
    for name in changed.keys() & {*_DOCUMENTS}:
        changed[name] = [one.model_dump(mode="json") for one in changed[name]]
    new = (await compare_and_set(writer, "meeting", {"id": id}, version, changed))["version"]
    said = {"changed": sorted(patch.model_fields_set)}
    await _record(writer, caller, EventKind.MEETING_UPDATED, id, found["now"], (version, new), said)
    await writer.flush()
    return await _show_written(writer, caller, id)


async def decide(writer: Writer, caller: Caller, id: UUID, input: DecisionInput) -> Row:
    """Enter a decision and log its tasks in the same step, or nothing at all.

    Raises NotFound, PermissionDenied, and what `tasks.log_task` raises.
    """
    found = await _load_for(writer, caller, id, Permission.MEETING_DECIDE)
    at = moments.moved_at(writer, input.effective_at, found, after="effective_at")
    await value(writer, "select version from meeting where id = :id for update", id=id)
    number = await value(writer, "select coalesce(max(number), 0) + 1 from decision where meeting_id = :id", id=id)
    decision = Decision(
        meeting_id=id, number=number, text=input.text, text_en=input.text_en, agency=caller.body, effective_at=at
    )
    writer.add(decision)
    await _record(writer, caller, EventKind.MEETING_DECIDED, id, at, (None, None), {"decision": str(decision.id)})
    await writer.flush()
    for place, task in enumerate(input.tasks):
        said = task.model_copy(update={"meeting": id, "effective_at": task.effective_at or input.effective_at})
        try:
            await tasks.log_task(writer, caller, said, decision=decision.id)
        except ValidationFailed as refused:
            faults = [replace(one, pointer=f"/tasks/{place}{one.pointer}") for one in refused.errors]
            raise ValidationFailed(errors=faults) from refused
    return (await _decisions(writer, caller, id))[-1]


async def _load_for(writer: Writer, caller: Caller, id: UUID, permission: Permission) -> Row:
    found = await records.take(writer, caller, "meeting", _COLUMNS, id)
    held = {
        standing
        for standing, agency in ((Standing.LOGGER, found["logged_by"]), (Standing.OWNER, found["host"]))
        if agency in caller.acts_for
    }
    policy.require(caller.role, permission, held)
    return found


async def _show_written(writer: Writer, caller: Caller, id: UUID) -> dict[str, Any]:
    found = (await rows(writer, f"select {_COLUMNS} from meeting t where t.id = :id", id=id))[0]
    return {**found, "decisions": await _decisions(writer, caller, id)}


async def _record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    id: UUID,
    at: Any,
    versions: tuple[int | None, int | None],
    said: dict[str, Any],
) -> None:
    await log.record(writer, caller, kind, on="meeting", id=id, effective_at=at, versions=versions, payload=said)
