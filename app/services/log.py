"""The one door for facts: nothing else writes the event table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from app import evidence
from app.db import Executor, Row, Writer, began, keys_of, rows, value
from app.entries import copy, insert_all
from app.models.event import Event
from app.rules.caller import Caller
from app.rules.facts import WORDS, EventKind, told
from app.security import Keys
from app.services import finality, sealing
from app.sql import utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What happened to an object; `record` says what its members mean."""

    kind: EventKind
    on: str
    id: UUID | str
    effective_at: datetime
    task_id: UUID | None
    versions: tuple[int | None, int | None]
    payload: dict[str, Any]
    state: Mapping[str, Any] | None = None
    concerns: str | None = None


async def record(
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
    state: Mapping[str, Any] | None = None,
    concerns: str | None = None,
) -> Row:
    """Enter a fact in the transaction of its change: if the fact can't be written, the change can't commit.

    `on` is the kind of object, `versions` its version before and after; members of the payload that people wrote
    (`facts.WORDS`) are sealed. `state` holds the columns that the change set of the task, as they were set; a fact
    that leaves the task alone has none. `concerns` is the agency that the fact is about, kept where that is not the
    caller's.
    """
    fact = Fact(
        kind=kind,
        on=on,
        id=id,
        effective_at=effective_at,
        task_id=task_id,
        versions=versions,
        payload=payload or {},
        state=state,
        concerns=concerns,
    )
    return (await record_all(writer, caller, [fact]))[0]


async def record_all(writer: Writer, caller: Caller, facts: Sequence[Fact]) -> list[Row]:
    """The same for several facts, in the order in which they came about."""
    entered = [await _entered(writer, caller, fact) for fact in facts]
    return await insert_all(writer, Event, entered)


async def _entered(writer: Writer, caller: Caller, fact: Fact) -> Row:
    """The record of a fact, whole: with what is sealed of it, and its leaf."""
    document = {**fact.payload, **told(fact.state)}
    said = orjson.loads(orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z))
    event: Row = {
        "id": uuid7(),
        "kind": fact.kind,
        "object_type": fact.on,
        "object_id": str(fact.id),
        "task_id": fact.task_id,
        "agency": caller.agency,
        "client_id": caller.client_id,
        "concerns": fact.concerns if fact.concerns != caller.agency else None,
        "person": None,
        "request_id": caller.request_id,
        "effective_at": fact.effective_at,
        "recorded_at": await began(writer),
        "version_before": fact.versions[0],
        "version_after": fact.versions[1],
        "payload": {name: content for name, content in said.items() if name not in WORDS},
        "words": {},
        "salt": evidence.new_salt(),
    }
    event |= await _sealed(writer, event, caller.acting_user, {name: said[name] for name in WORDS & said.keys()})
    event["leaf"] = evidence.leaf(evidence.document(event))
    writer.info.setdefault("leaves", {})[event["id"]] = event["leaf"]
    return event


async def _sealed(writer: Writer, event: Row, acting_user: str | None, words: dict[str, Any]) -> Row:
    """What commits an event to the words and the person of the fact, and keeps these under their own keys."""
    if not words and acting_user is None:
        return {}
    record = sealing.of_record("task", event["task_id"]) if event["task_id"] else None
    about = record or sealing.of_record(event["object_type"], event["object_id"])
    person = acting_user and sealing.of_person(keys_of(writer), event["agency"], acting_user)
    keys = await sealing.keys_for(writer, [one for one in (words and about, person) if one])
    sealed: Row = {}
    if words:
        sealed["words_key"], key = keys[about]
        sealed["words"], sealed["words_sealed"] = sealing.committed(words, key)
    if person:
        sealed["person_key"], key = keys[person]
        commitments, sealed["person_sealed"] = sealing.committed({"person": acting_user}, key)
        sealed["person"] = commitments["person"]
    return sealed


async def copy_facts(writer: Writer, names: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
    """Enter facts that are whole, with salt and leaf, by COPY; the sequencer places them by set (`place_all`)."""
    await copy(writer, str(Event.__tablename__), names, records)


def leaves(writer: Writer) -> list[bytes]:
    """The leaves of the facts entered in this transaction so far, in the order in which the log will have them."""
    entered: dict[UUID, bytes] = writer.info.get("leaves", {})
    return [entered[place] for place in sorted(entered)]


async def latest(executor: Executor, *kinds: EventKind, id: UUID) -> datetime | None:
    """When the last fact of these kinds about an object happened, or None if there is none.

    Where none is left and a year was retired, it is the instant from which on the state is told.
    """
    found: datetime | None = await value(
        executor,
        "select coalesce(max(effective_at), (select max(told_from) from retired_year)) as latest from event"
        " where object_type = :on and object_id = :id and kind = any(:kinds)",
        on=kinds[0].partition(".")[0],
        kinds=list(kinds),
        id=str(id),
    )
    return found


async def said(executor: Executor, kind: EventKind, *, on: str, id: UUID, since: datetime, of: dict[str, Any]) -> bool:
    """Whether this fact about an object, with these members in its payload, was entered since."""
    found = await value(
        executor,
        "select 1 as said from event where object_type = :on and object_id = :id and kind = :kind"
        " and effective_at >= :since and payload @> cast(:members as jsonb) limit 1",
        on=on,
        id=str(id),
        kind=kind,
        since=since,
        members=orjson.dumps(of).decode(),
    )
    return found is not None


#: SQL: the newest fact about the task `t`.
LAST_ACT: Final = "coalesce({})".format(
    ", ".join(
        "(select jsonb_build_object('kind', e.kind, 'agency', e.agency, 'effective_at',"
        f" {utc('e.effective_at')}) from {facts} e where e.task_id = t.id order by e.{newest} desc limit 1)"
        for facts, newest in (("event", "id"), ("retired_fact", "index"))
    )
)

_HISTORY: Final = f"""
    select e.id, e.kind, e.payload ->> 'from' as from_status, e.payload ->> 'to' as to_status, e.agency,
        e.client_id as client, e.effective_at, e.recorded_at, l.index as log_index,
        {finality.of("l.index")} as finality, e.payload - 'from' - 'to' - 'state' as facts,
        {sealing.SEALED}, {sealing.PERSON}
    from event e left join log_entry l on l.event_id = e.id {sealing.KEYS_OF} cross join {{standing}}
    where e.task_id = :task_id and (cast(:until as timestamptz) is null or e.recorded_at <= :until)
    order by l.index nulls last, e.id
"""
_SHOWN: Final = (
    "id", "kind", "from_status", "to_status", "agency", "client", "effective_at", "recorded_at", "log_index",
    "finality",
)  # fmt: skip


async def history(executor: Executor, keys: Keys, task_id: UUID, *, until: datetime | None = None) -> list[Row]:
    """The facts of one task in their order, up to a recorded instant."""
    found = await rows(executor, _HISTORY.format(standing=finality.standing(executor)), task_id=task_id, until=until)
    return [
        {name: one[name] for name in _SHOWN}
        | {"acting_user": sealing.person_of(keys, one), "facts": {**one["facts"], **sealing.words_of(keys, one)}}
        for one in found
    ]


async def retired(executor: Executor, task_id: UUID, *, until: datetime | None = None) -> list[Row]:
    """The facts of one task that were retired with their years, likewise: what each was, not what it said."""
    return await rows(
        executor,
        "select r.id, r.kind, r.agency, r.effective_at, r.recorded_at, r.index as log_index from retired_fact r"
        " where r.task_id = :task_id and (cast(:until as timestamptz) is null or r.recorded_at <= :until)"
        " order by r.index",
        task_id=task_id,
        until=until,
    )


async def words(executor: Executor, keys: Keys, ids: Iterable[UUID | str]) -> dict[str, dict[str, Any]]:
    """What people wrote in some facts, by the id of the fact; None for each word that was erased."""
    found = await rows(
        executor,
        f"select cast(e.id as text) as id, {sealing.SEALED} from ("
        "select id, words, words_sealed, words_key, person_key from event where id = any(:ids) union all"
        " select id, words, words_sealed, words_key, person_key from retired_fact where id = any(:ids)"
        f") e {sealing.KEYS_OF}",
        ids=sorted({str(one) for one in ids}),
    )
    return {one["id"]: sealing.words_of(keys, one) for one in found}


_BESIDE: Final = "f.words, f.words_sealed, f.words_key, f.person, f.person_sealed, f.person_key"
#: Joins to each comment `c` the fact that it was made by, to be read with `sealing.SEALED` and `PERSON`.
COMMENTED: Final = f"""left join lateral (
        select {_BESIDE} from event f where f.object_type = 'comment' and f.object_id = cast(c.id as text)
        union all select {_BESIDE} from retired_fact f where f.task_id = c.task_id and f.comment_id = c.id
    ) e on true {sealing.KEYS_OF}"""


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
