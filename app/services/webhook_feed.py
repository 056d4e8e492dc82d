"""What a webhook hears: the entries of the log after its position, by the first wall, as CloudEvents envelopes.

It hears as a viewer of its agency with its own clearance, and of access to its agency as its administrator does. Only
what is open to everybody goes out whole; of all else it carries the ids, by which whoever may can read the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row, Writer, encode, keys_of, settings_of
from app.rules.facts import EventKind, Family, family
from app.rules.vocabulary import Role
from app.services import callers, sealing, visibility
from app.services.deliveries import PING

#: How many entries are looked at, and how many taken, in one go.
_LOOKED_AT, _TAKEN = 1000, 50


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event as it goes out."""

    id: UUID
    index: int | None
    type: str
    body: bytes


async def newest(executor: Executor) -> int:
    """The index of the newest entry of the log; 0 while there is none."""
    return int(await db.value(executor, "select coalesce(max(place) + 1, 0) from log_node where level = 0"))


async def newest_head(executor: Executor) -> str:
    """The newest signed head of the log; empty while there is none."""
    return str(await db.value(executor, "select signed from log_head order by size desc limit 1") or "")


async def heard(writer: Writer, webhook: Row) -> tuple[list[Envelope], int]:
    """What a webhook hears next, in the order of the log, and the index up to which that is all there is."""
    until = min(await newest(writer), webhook["position"] + _LOOKED_AT)
    found = await _events(writer, webhook, "l.index > :after and l.index <= :until", webhook["position"], until)
    return found, found[-1].index or until if len(found) == _TAKEN else until


async def heard_once(writer: Writer, webhook: Row, event: UUID) -> Envelope | None:
    """An event as the webhook hears it now; None when it may not any more."""
    index = await db.value(writer, "select index from log_entry where event_id = :event", event=event)
    if index is None:
        return None
    found = await _events(writer, {**webhook, "types": []}, "l.index > :after and l.index <= :until", index - 1, index)
    return found[0] if found else None


def ping(writer: Writer, id: UUID, webhook: UUID, moment: Any) -> Envelope:
    """What is sent to try a receiver."""
    about = {"type": PING, "subject": f"webhook/{webhook}", "time": moment}
    return Envelope(id, None, PING, encode(_frame(writer, id, **about, data={})))


#: What is told besides ids of what is open to everybody.
_OPEN: Final = ("agency", "concerns", "effective_at", "version_before", "version_after")
_EVENTS: Final = f"""
    select l.index, e.id, e.kind, e.object_type, e.object_id, e.task_id, e.agency, e.client_id, e.concerns,
        e.effective_at, e.recorded_at, e.version_before, e.version_after, e.payload, {sealing.SEALED}, {sealing.PERSON},
        coalesce((select classification from task where id = e.task_id),
            case e.object_type when 'vulnerability' then
                (select classification from vulnerability where cast(id as text) = e.object_id)
            when 'meeting' then (select classification from meeting where cast(id as text) = e.object_id) end
        ) as classification
    from log_entry l join event e on e.id = l.event_id {sealing.KEYS_OF}
"""


async def _events(writer: Writer, webhook: Row, where: str, after: int, until: int) -> list[Envelope]:
    caller = await callers.hearer_of(writer, webhook["agency"], clearance=webhook["clearance"])
    administrator = replace(caller, role=Role.AGENCY_ADMIN)
    hears = f"({visibility.heard(caller)} or {visibility.heard(administrator)})"
    kinds = kinds_of(webhook["types"])
    asked = "true" if kinds is None else "e.kind = any(:kinds)"
    found = await db.rows(
        writer,
        f"{_EVENTS} where {where} and {asked} and {hears} order by l.index limit {_TAKEN}",
        after=after,
        until=until,
        **({} if kinds is None else {"kinds": kinds}),
        **visibility.hearing(caller),
    )
    return [Envelope(one["id"], one["index"], one["kind"], encode(_envelope(writer, one))) for one in found]


def kinds_of(types: Iterable[str]) -> list[str] | None:
    """The kinds that a filter names, families spelt out; None: all."""
    named = set(types)
    if not named:
        return None
    return [kind for kind in EventKind if kind in named or f"{kind.partition('.')[0]}.*" in named]


def _envelope(writer: Writer, event: Row) -> dict[str, Any]:
    data: dict[str, Any] = {
        "object": {"type": event["object_type"], "id": event["object_id"]},
        "task": event["task_id"],
    }
    if event["classification"] == "terbuka" or family(EventKind(event["kind"])) is Family.REGISTRY:
        keys = keys_of(writer)
        data |= {
            name: event[name] for name in ("agency", "concerns", "effective_at", "version_before", "version_after")
        }
        data |= {"client": event["client_id"], "acting_user": sealing.person_of(keys, event)}
        data |= {"facts": {**event["payload"], **sealing.words_of(keys, event)}}
    subject = f"{event['object_type']}/{event['object_id']}"
    return _frame(
        writer,
        event["id"],
        type=event["kind"],
        subject=subject,
        time=event["recorded_at"],
        logindex=event["index"],
        data=data,
    )


def _frame(writer: Writer, id: UUID, **about: Any) -> dict[str, Any]:
    """A CloudEvents 1.0 envelope in structured mode."""
    source = settings_of(writer).base_url
    return {"specversion": "1.0", "id": id, "source": source, "datacontenttype": "application/json", **about}
