"""Erasure: the key is destroyed under which a name or words are sealed. The log stays as it is, and still verifies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.db import Writer, keys_of, one, rows
from app.errors import NotFound
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Role, Standing
from app.schemas.erasures import ErasureInput
from app.services import log, sealing

#: What stands where words were.
ERASED: Final = "—"


async def erase_person(writer: Writer, caller: Caller, input: ErasureInput) -> dict[str, Any]:
    """Erase who acted under this name for an agency, by default the caller's, from everything recorded so far.

    Raises PermissionDenied, NotFound.
    """
    agency = input.agency or caller.agency
    if caller.role is not Role.OPERATOR and agency != caller.agency:
        raise NotFound
    policy.require(caller.role, Permission.PERSON_ERASE, {Standing.OWN_AGENCY})
    destroyed = await sealing.destroy(writer, sealing.of_person(keys_of(writer), agency, input.acting_user))
    if destroyed is None:
        raise NotFound
    erased_at = datetime.now(UTC)
    await log.record(
        writer,
        caller,
        EventKind.PERSON_ERASED,
        on="person",
        id=destroyed,
        effective_at=erased_at,
        payload={"reason": input.reason},
        concerns=agency,
    )
    await writer.flush()
    return {"id": destroyed, "agency": agency, "erased_at": erased_at}


async def erase_task(writer: Writer, caller: Caller, task: UUID, reason: str) -> dict[str, Any]:
    """Erase what people wrote of a task: in the log, in it, its referrals, clocks and comments; raises NotFound."""
    found = await one(writer, "select logged_by, version from task where id = :id for update", id=task)
    destroyed = await sealing.destroy(writer, sealing.of_record("task", task))
    for statement in (_OF_TASK, _OF_REFERRALS, _OF_CLOCKS, _OF_COMMENTS):
        await rows(writer, statement, id=task, erased=ERASED)
    erased_at = datetime.now(UTC)
    await log.record(
        writer,
        caller,
        EventKind.RECORD_ERASED,
        on="record",
        id=task,
        effective_at=erased_at,
        versions=(found["version"], found["version"] + 1),
        payload={"on": "task", "key": destroyed, "reason": reason},
        concerns=found["logged_by"],
    )
    await writer.flush()
    return {"task": task, "id": destroyed, "erased_at": erased_at}


#: The live copies of the words that the log holds, and those that it never held.
_OF_TASK: Final = """
    update task set title = :erased, description = :erased, note = case when note is not null then :erased end,
        facts = '{}', version = version + 1, updated_at = now() where id = :id returning id
"""
_OF_REFERRALS: Final = """
    update referral set note = case when note is not null then :erased end,
        reason = case when reason is not null then :erased end, version = version + 1, updated_at = now()
    where task_id = :id returning id
"""
_OF_CLOCKS: Final = """
    update deadline set note = case when note is not null then :erased end,
        reason = case when reason is not null then :erased end, version = version + 1, updated_at = now()
    where task_id = :id returning id
"""
_OF_COMMENTS: Final = "update comment set body = :erased where task_id = :id returning id"
