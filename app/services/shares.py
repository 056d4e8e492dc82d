"""Shares: showing a task to one more agency."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, row, rows, value
from app.errors import NotFound
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Access
from app.services import log, visibility
from app.services.task_rows import load_task, take_task
from app.services.versions import check_version, compare_and_set

_SHOWN: Final = "agency, level, shared_by, recorded_at"


async def list_shares(executor: Executor, caller: Caller, id: UUID) -> list[Row]:
    """To whom a task is shown; raises NotFound or ClassificationDenied."""
    visibility.require_full(await load_task(executor, caller, id))
    return await rows(executor, f"select {_SHOWN} from share where task_id = :id order by agency", id=id)


async def share_task(
    writer: Writer,
    caller: Caller,
    id: UUID,
    agency: str,
    version: int,
    level: Access,
) -> tuple[Row, int]:
    """Show a task to an agency; returns the share and the task's new version.

    Raises NotFound (task or agency), PermissionDenied, StaleVersion.
    """
    task = await _changeable(writer, caller, id, version)
    if not await value(writer, "select 1 as known from agency where code = :agency", agency=agency):
        raise NotFound
    new = await _touch(writer, task)
    share = await row(
        writer,
        "insert into share (task_id, agency, level, shared_by) values (:id, :agency, :level, :by)"
        f" on conflict (task_id, agency) do update set level = excluded.level returning {_SHOWN}",
        id=id,
        agency=agency,
        level=level,
        by=caller.agency,
    )
    await _record(writer, caller, task, new, EventKind.TASK_SHARED, {"agency": agency, "level": level})
    return share or {}, new


async def unshare_task(writer: Writer, caller: Caller, id: UUID, agency: str, version: int) -> int:
    """Take a share back; returns the task's new version. Raises NotFound, PermissionDenied, StaleVersion."""
    task = await _changeable(writer, caller, id, version)
    new = await _touch(writer, task)
    ended = await value(
        writer, "delete from share where task_id = :id and agency = :agency returning agency", id=id, agency=agency
    )
    if ended is None:
        raise NotFound
    await _record(writer, caller, task, new, EventKind.TASK_UNSHARED, {"agency": agency})
    return new


async def _touch(writer: Writer, task: Row) -> int:
    """A share changes nothing of a task but its version; returns the new one, raises StaleVersion."""
    return int((await compare_and_set(writer, "task", {"id": task["id"]}, task["version"], {}))["version"])


async def _changeable(writer: Writer, caller: Caller, id: UUID, version: int) -> Row:
    task = await take_task(writer, caller, id)
    policy.require(caller.role, Permission.TASK_SHARE, visibility.standings(caller, task))
    check_version(task["version"], version)
    return task


async def _record(
    writer: Writer, caller: Caller, task: Row, new: int, kind: EventKind, payload: dict[str, Any]
) -> None:
    await log.record(
        writer,
        caller,
        kind,
        on="task",
        id=task["id"],
        task_id=task["id"],
        effective_at=task["now"],
        versions=(task["version"], new),
        payload=payload,
        state={},
    )
    await writer.flush()
    await visibility.keep_readers(writer, task["id"])
