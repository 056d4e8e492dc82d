"""The one door for facts. Nothing else touches the event table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from app.db import Executor, Row, Writer, rows, value
from app.models.event import Event
from app.rules.caller import Caller
from app.rules.facts import EventKind


def record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    *,
    on: str,
    id: UUID | str,
    effective_at: datetime,
    task_id: UUID | None = None,
    versions: tuple[int | None, int | None] = (None, None),
    payload: dict[str, Any] | None = None,
    place: UUID | None = None,
) -> Event:
    """Enter a fact in the transaction of its change: if the fact can't be written, the change can't commit.

    `on` is the kind of object, `versions` its version before and after; `place` is an id taken earlier (`reserve`),
    for a fact that comes before those it brings about.
    """
    event = Event(
        id=place or reserve(),
        kind=kind,
        object_type=on,
        object_id=str(id),
        task_id=task_id,
        agency=caller.agency,
        client_id=caller.client_id,
        acting_user=caller.acting_user,
        request_id=caller.request_id,
        effective_at=effective_at,
        version_before=versions[0],
        version_after=versions[1],
        payload=payload or {},
    )
    writer.add(event)
    return event


def reserve() -> UUID:
    """The next place in the order of facts."""
    return uuid7()


async def latest(executor: Executor, *kinds: EventKind, id: UUID) -> datetime | None:
    """When the last fact of these kinds about an object happened, or None if there is none."""
    found: datetime | None = await value(
        executor,
        "select max(effective_at) as latest from event"
        " where object_type = :on and object_id = :id and kind = any(:kinds)",
        on=kinds[0].partition(".")[0],
        kinds=list(kinds),
        id=str(id),
    )
    return found


async def said(executor: Executor, kind: EventKind, *, id: UUID, since: datetime, of: dict[str, Any]) -> bool:
    """Whether this fact about an object, with these words in its payload, was entered since."""
    found = await value(
        executor,
        "select 1 as said from event where object_type = :on and object_id = :id and kind = :kind"
        " and effective_at >= :since and payload @> cast(:words as jsonb) limit 1",
        on=kind.partition(".")[0],
        id=str(id),
        kind=kind,
        since=since,
        words=orjson.dumps(of).decode(),
    )
    return found is not None


_HISTORY: Final = """
    select id, kind, payload ->> 'from' as from_status, payload ->> 'to' as to_status, agency,
        client_id as client, acting_user, effective_at, recorded_at, log_index,
        payload - 'from' - 'to' as facts
    from event where task_id = :task_id and (cast(:until as timestamptz) is null or recorded_at <= :until)
    order by id
"""


async def history(executor: Executor, task_id: UUID, *, until: datetime | None = None) -> list[Row]:
    """The facts of one task in their order, up to a recorded instant."""
    return await rows(executor, _HISTORY, task_id=task_id, until=until)


async def payloads(executor: Executor, kind: EventKind, *, on: str, ids: Iterable[UUID]) -> list[Row]:
    """What the facts of one kind say about some objects."""
    found = await rows(
        executor,
        "select payload from event where object_type = :on and object_id = any(:ids) and kind = :kind",
        on=on,
        ids=sorted({str(one) for one in ids}),
        kind=kind,
    )
    return [one["payload"] for one in found]
