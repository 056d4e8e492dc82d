"""What a webhook hears: the entries of the log after its position, in the envelopes of the feed.

It hears as a viewer of its agency with its own clearance, and of access to its agency as its administrator does. Of
matters that are not open to everybody it carries the ids, by which whoever may can read the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row, Writer, encode, keys_of
from app.rules.facts import EventKind, kinds
from app.rules.vocabulary import Role
from app.services import callers, feed
from app.services.deliveries import PING
from app.services.feed import Part

#: How many entries are taken in one go.
_TAKEN: Final = 50


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event as it goes out."""

    id: UUID
    index: int | None
    type: str
    body: bytes


async def newest_head(executor: Executor) -> str:
    """The newest signed head of the log; empty while there is none."""
    return str(await db.value(executor, "select signed from log_head order by size desc limit 1") or "")


async def heard(writer: Writer, webhook: Row) -> tuple[list[Envelope], int]:
    """What a webhook hears next, in the order of the log, and the index up to which that is all there is."""
    return await _heard(writer, webhook, Part(webhook["position"], kinds(webhook["types"]), _TAKEN))


async def heard_once(writer: Writer, webhook: Row, event: UUID) -> Envelope | None:
    """An event as the webhook hears it now; None when it may not any more."""
    found = await db.row(
        writer,
        "select l.index, e.kind from log_entry l join event e on e.id = l.event_id where l.event_id = :event",
        event=event,
    )
    if found is None:
        return None
    alone = frozenset({EventKind(found["kind"])})
    there, _ = await _heard(writer, webhook, Part(found["index"] - 1, alone, 1, looked_at=1))
    return there[0] if there else None


async def _heard(writer: Writer, webhook: Row, part: Part) -> tuple[list[Envelope], int]:
    viewer = await callers.hearer_of(writer, webhook["agency"], clearance=webhook["clearance"])
    both = [
        await feed.read(writer, one, keys_of(writer), part) for one in (viewer, replace(viewer, role=Role.AGENCY_ADMIN))
    ]
    through = min(found.after for found in both)
    by_index = {one["logindex"]: one for found in both for one in found.items if one["logindex"] <= through}
    return [_outgoing(by_index[index]) for index in sorted(by_index)], through


def _outgoing(envelope: dict[str, Any]) -> Envelope:
    body = encode(feed.thin(envelope))
    return Envelope(envelope["id"], envelope["logindex"], envelope["type"], body)


def ping(writer: Writer, id: UUID, webhook: UUID, moment: datetime) -> Envelope:
    """What is sent to try a receiver."""
    said = {
        "specversion": "1.0",
        "id": id,
        "source": keys_of(writer).issuer,
        "type": PING,
        "subject": f"webhooks/{webhook}",
        "time": moment,
        "datacontenttype": "application/json",
        "data": {},
    }
    return Envelope(id, None, PING, encode(said))
