"""The log as those hear it whom it concerns: CloudEvents 1.0, in the one sequence, from any place in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from app.db import Executor, Row, one, rows
from app.errors import Fault, InvalidParameter
from app.rules.caller import Caller
from app.rules.facts import EventKind, Family, family
from app.rules.vocabulary import Classification
from app.security import Keys
from app.services import sealing
from app.services.visibility import heard, hearing
from app.sql import limit_literal

#: How many entries one call looks at, heard or not.
LOOKED_AT: Final = 2_000

Envelope = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the log: what comes after a place in it, of some kinds or of all, at most `limit` (200 or fewer).

    `looked_at` entries are looked at for it at most, LOOKED_AT where nothing else is said.
    """

    after: int
    types: frozenset[EventKind] | None
    limit: int
    looked_at: int | None = None


class Heard(NamedTuple):
    """What was heard, the last index looked at, and the newest signed head (None before the first)."""

    items: list[Envelope]
    after: int
    head: str | None


_STANDING: Final = """
    select coalesce((select max(place) + 1 from log_node where level = 0), 0) as size,
        (select signed from log_head order by size desc limit 1) as head,
        coalesce((select max(until) from retired_year), 0) as floor
"""
# the places one by one: of a range whose ends it doesn't know, the planner thinks anew each time it is asked
_HEARD: Final = f"""
    select l.index, e.id, e.kind, e.object_type, e.object_id, e.task_id, e.agency, e.client_id, e.concerns,
        e.request_id, e.effective_at, e.recorded_at, e.version_before, e.version_after, e.payload, {sealing.SEALED},
        {sealing.PERSON}, coalesce(t.classification, v.classification, m.classification) as classification
    from log_entry l join event e on e.id = l.event_id {sealing.KEYS_OF}
    left join task t on t.id = e.task_id
    left join vulnerability v on v.id = case when e.object_type = 'vulnerability' then cast(e.object_id as uuid) end
    left join meeting m on m.id = case when e.object_type = 'meeting' then cast(e.object_id as uuid) end
    where l.index = any(array(select generate_series(cast(:after as bigint) + 1, cast(:until as bigint)))) {{chosen}}
        and {{heard}} order by l.index limit {{limit}}
"""


async def read(executor: Executor, caller: Caller, keys: Keys, part: Part) -> Heard:
    """What the caller hears of a part of the log; there may be nothing to hear although more comes after.

    Raises InvalidParameter for a place that the log has not reached, and for one before what was retired.
    """
    standing = await one(executor, _STANDING)
    _require_place(part.after, standing)
    until = min(part.after + (part.looked_at or LOOKED_AT), standing["size"])
    if until <= part.after:
        return Heard([], part.after, standing["head"])
    found = await rows(
        executor,
        _HEARD.format(
            chosen="" if part.types is None else "and e.kind = any(:types)",
            heard=heard(caller),
            limit=limit_literal(part.limit),
        ),
        after=part.after,
        until=until,
        **({} if part.types is None else {"types": sorted(part.types)}),
        **hearing(caller),
    )
    items = [_envelope(keys, caller, row) for row in found[: part.limit]]
    return Heard(items, items[-1]["logindex"] if len(found) > part.limit else until, standing["head"])


async def require_place(executor: Executor, after: int) -> None:
    """Refuse a place that the log has not reached, or from which not all can be told; raises InvalidParameter.

    Nobody was ever told the one: who comes with it followed another log, and would wait for what it never hears. After
    the other facts are missing that were retired: who comes with it must know, and read them in an export.
    """
    _require_place(after, await one(executor, _STANDING))


def _require_place(after: int, standing: Row) -> None:
    if after > standing["size"]:
        raise InvalidParameter(errors=[_BEYOND])
    if after < standing["floor"]:
        raise InvalidParameter(errors=[retired(standing["floor"])], retired_until=standing["floor"])


def retired(floor: int, *, pointer: str | None = None) -> Fault:
    """That facts up to an entry are retired, of the parameter `after`, or of what `pointer` names in the body."""
    return Fault(
        "retired",
        f"Facts up to entry {floor} are retired: read them in an export of the log, and go on after {floor}.",
        f"Fakta sampai entri {floor} sudah dikeluarkan: baca ekspor log, lalu lanjutkan setelah {floor}.",
        pointer=pointer,
        parameter=None if pointer else "after",
    )


_BEYOND: Final = Fault("too-large", "The log is not that long yet.", "Log belum sepanjang itu.", parameter="after")


def _envelope(keys: Keys, caller: Caller, event: Row) -> Envelope:
    about = event["object_type"]
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": keys.issuer,
        "type": event["kind"],
        "subject": f"{_PLURALS.get(about, f'{about}s')}/{event['object_id']}",
        "time": event["effective_at"],
        "recordedtime": event["recorded_at"],
        "logindex": event["index"],
        "datacontenttype": "application/json",
        "dataschema": f"{keys.issuer if '://' in keys.issuer else ''}/events/{event['kind']}",
        "data": {
            "object_type": about,
            "object_id": event["object_id"],
            "task": event["task_id"],
            "classification": event["classification"],
            "agency": event["agency"],
            "concerns": event["concerns"],
            "client": event["client_id"],
            "acting_user": _acting_user(keys, caller, event),
            "request_id": event["request_id"],
            "version_before": event["version_before"],
            "version_after": event["version_after"],
            "facts": {**event["payload"], **sealing.words_of(keys, event)},
        },
    }


_PLURALS: Final = {
    "agency": "agencies",
    "legal_instrument": "legal-instruments",
    "vulnerability": "vulnerabilities",
}


def _acting_user(keys: Keys, caller: Caller, event: Row) -> str | None:
    """Who acted, except where everybody hears of it: there the staff of an agency is its own affair."""
    if family(EventKind(event["kind"])) is Family.REGISTRY and event["agency"] != caller.agency:
        return None
    return sealing.person_of(keys, event)


def thin(envelope: Envelope) -> Envelope:
    """The envelope without what it says, ids only, where its matter is not open to everybody (`terbuka`)."""
    data = envelope["data"]
    if data["classification"] == Classification.TERBUKA or family(EventKind(envelope["type"])) not in _MATTERS:
        return envelope
    return {**envelope, "data": {name: data[name] for name in _IDS}}


_MATTERS: Final = frozenset({Family.WORK, Family.VULNERABILITY, Family.MEETING})
_IDS: Final = ("object_type", "object_id", "task", "request_id")
