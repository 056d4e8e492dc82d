"""Retiring a year of facts: they leave the database after they have left as evidence, and their leaves stay.

What a task needs of them is kept first, as `retired_fact`: which there were, the state they left it in, what was said.
All of it happens in one transaction, so that a year is either online or retired, whenever somebody is killed.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app import evidence, exported_year
from app.db import Database, Row, Writer, execute, one, row, rows, settings_of, value, work
from app.exported_year import Exported, Facts
from app.rules import retention
from app.rules.caller import itself
from app.rules.facts import EventKind
from app.services import locks, log
from app.services.locks import Lock

#: How many facts are read in one go.
_STEP: Final = 5_000
#: How long others may have to wait for us, who wait for them: readers end within seconds, else it is said again.
_PATIENCE: Final = "set local lock_timeout = '2s'"
_TABLE: Final = """
    select not c.relispartition as apart from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'years' and c.relname = 'event_' || cast(cast(:year as integer) as text) and c.relkind = 'r'
"""
_KNOWN: Final = "select year, facts, until, told_from, digest from retired_year where year = :year"
_STANDING: Final = """
    with facts as (
        select l.index from event e left join log_entry l on l.event_id = e.id where e.id >= :first and e.id < :beyond
    ), counted as (
        select count(*) as facts, count(*) filter (where index is null) as unplaced, coalesce(max(index), 0) as until
        from facts
    )
    select c.*, cast(extract(year from now() at time zone 'UTC') as integer) as this,
        (select e.id from event e order by e.id limit 1) as oldest,
        exists (select from lost_head where entry is null) as halted,
        array(select w.agency || ' ' || w.id from webhook w where w.position < c.until or exists (
            select from delivery d where d.webhook_id = w.id and d.log_index <= c.until
                and d.status in ('asked', 'failing')) order by 1) as waiting
    from counted c
"""
_FACTS: Final = """
    select l.index, encode(e.leaf, 'hex') as leaf, e.words_key, encode(sha256(e.words_sealed), 'hex') as words,
        e.person_key, encode(sha256(e.person_sealed), 'hex') as person
    from log_entry l join event e on e.id = l.event_id
    where l.index > :after and e.id >= :first and e.id < :beyond order by l.index limit :step
"""
# Of the facts that set a member of a task's state the last one tells it, by when it happened and then by its place in
# the log; one that was entered later and happened earlier comes between them as before.
_KEEP: Final = """
    with gone as (
        select e.*, l.index, e.payload -> 'state' as told from event e join log_entry l on l.event_id = e.id
        where e.id >= :first and e.id < :beyond and e.task_id is not null
    ), members as (
        select g.id, g.task_id, g.effective_at, g.index, m.member from gone g cross join lateral (
            select jsonb_object_keys(g.told - 'words' - 'version') as member
            union all select jsonb_array_elements_text(g.told -> 'words')
        ) m
    ), telling as (
        select id, array_agg(member) as members from (
            select distinct on (task_id, member) id, member from members
            order by task_id, member, effective_at desc, index desc
        ) last group by id
    ), left_over as (
        select g.*, t.members, coalesce(g.told -> 'words' ?| t.members, g.kind = 'task.commented', false) as said
        from gone g left join telling t on t.id = g.id
    )
    insert into retired_fact (id, index, kind, task_id, comment_id, agency, effective_at, recorded_at, version, state,
        words, words_key, words_sealed, person, person_key, person_sealed)
    select o.id, o.index, o.kind, o.task_id, case when o.object_type = 'comment' then cast(o.object_id as uuid) end,
        o.agency, o.effective_at, o.recorded_at,
        case o.object_type when 'task' then o.version_after else cast(o.told ->> 'version' as integer) end,
        case when o.told is not null then (
            select coalesce(jsonb_object_agg(m.key, m.value), '{}') from jsonb_each(o.told - 'words' - 'version') m
            where m.key = any(o.members)
        ) || jsonb_build_object('words', (
            select coalesce(jsonb_agg(w), '[]') from jsonb_array_elements_text(o.told -> 'words') w
            where w = any(o.members)
        )) end,
        case when o.said then o.words end, case when o.said then o.words_key end,
        case when o.said then o.words_sealed end,
        case when o.kind = 'task.commented' then o.person end,
        case when o.kind = 'task.commented' then o.person_key end,
        case when o.kind = 'task.commented' then o.person_sealed end
    from left_over o
"""


class NotRetired(ValueError):
    """A year can't be retired; the text is a sentence that tells why."""


async def retire(database: Database, *, year: int, folder: Path, declaration: str, operator: str) -> Row:
    """Retire a year whose facts have left by the export in `folder`; their table stays, in its owner's reach alone.

    Does nothing but tell where the year is retired already. `operator` and `declaration` stand in the log in the clear.
    Returns the year, its facts, the index of the last (`until`), from when on the state of tasks is told, and the table
    (None: dropped). Raises NotRetired, Unreadable.
    """
    async with database.working() as writer:
        known = await row(writer, _KNOWN, year=year)
        if known is not None:
            return await _shown(writer, known)
        await _require_free(writer, year)
    exported = await _verified(database, folder, year)
    facts = await _online(database, year)
    if facts.digest != exported.facts.digest:
        raise NotRetired(
            f"{folder.name} holds {exported.facts.count} facts of {year}, and not just the {facts.count} that the log"
            " has, with all that is sealed beside them: write a new one with `simpul log export --sealed`."
        )
    async with database.writing() as writer:
        await execute(writer, "set local statement_timeout = 0")
        await execute(writer, _PATIENCE)
        await execute(writer, f"lock table years.event_{year} in share mode")  # nothing is added from here on
        await work(writer)
        await locks.wait(writer, Lock.RETIREMENT)
        if await row(writer, _KNOWN, year=year) is not None:
            raise NotRetired(f"Somebody else has retired {year} just now.")
        await _require_free(writer, year)
        kept = await _keep(writer, year, exported.facts)
        await _record(writer, kept, exported, declaration=declaration, operator=operator, dropped=False)
        await _become_owner(writer)
        await value(writer, "select app.detach_year(:year)", year=year)
        # whoever enters a fact waits from here on: who made a webhook meanwhile is known, or will see that it is late
        await work(writer)
        await _require_heard(writer, kept)
        return await _shown(writer, kept)


async def drop(database: Database, *, year: int, folder: Path, declaration: str, operator: str) -> Row:
    """Drop the table of a retired year for good, which the same export still holds; the log says so first.

    Does nothing but tell where it is dropped already. Returns what `retire` does. Raises NotRetired, Unreadable.
    """
    exported = await _verified(database, folder, year)
    async with database.writing() as writer:
        await execute(writer, "set local statement_timeout = 0")
        await execute(writer, _PATIENCE)
        await work(writer)
        await locks.wait(writer, Lock.RETIREMENT)
        known = await one(writer, _KNOWN, year=year)
        if exported.facts.digest != known["digest"]:
            raise NotRetired(f"{folder.name} is not an export by which {year} left: it holds other facts of it.")
        apart = await value(writer, _TABLE, year=year)
        if apart is None:
            return await _shown(writer, known)
        if not apart:
            raise NotRetired(f"The facts of {year} are online again: somebody has attached their table.")
        await _record(writer, known, exported, declaration=declaration, operator=operator, dropped=True)
        await _become_owner(writer)
        await execute(writer, f"drop table years.event_{year}")
        return await _shown(writer, known)


async def _require_free(writer: Writer, year: int) -> None:
    """Refuse a year that something holds; raises NotRetired."""
    await execute(writer, "set local statement_timeout = 0")
    first, beyond = retention.span(year)
    found = await one(writer, _STANDING, first=first, beyond=beyond)
    standing = retention.Standing(
        year=year,
        this=found["this"],
        keep=settings_of(writer).retention_years,
        facts=found["facts"],
        oldest=year if found["oldest"] is None else retention.year_of(found["oldest"]),
        unplaced=found["unplaced"],
        halted=found["halted"],
        waiting=found["waiting"],
        apart=await value(writer, _TABLE, year=year) is False,
    )
    sentence = retention.hindrance(standing)
    if sentence is not None:
        raise NotRetired(sentence)


async def _require_heard(writer: Writer, kept: Row) -> None:
    """Refuse where a webhook was made meanwhile that begins before; raises NotRetired."""
    late = await value(writer, "select count(*) from webhook where position < :until", until=kept["until"])
    if late:
        raise NotRetired(f"A webhook was made just now that begins before entry {kept['until']}: try again.")


async def _verified(database: Database, folder: Path, year: int) -> Exported:
    """An export that is right in itself, of this very log, and under a head that enough agencies have cosigned.

    Raises NotRetired, Unreadable.
    """
    quorum = database.settings.witnesses
    exported = await asyncio.to_thread(exported_year.read, folder, year, quorum=quorum)
    if exported.findings:
        raise NotRetired(f"{folder.name} does not verify: {exported.findings[0]}")
    async with database.working() as writer:
        root = await value(writer, "select encode(root, 'hex') from log_head where size = :size", size=exported.size)
    if exported.root != root:
        raise NotRetired(
            f"{folder.name} is of another log: there is no head over {exported.size} entries with its root."
        )
    if exported.witnessed < exported.facts.until:
        raise NotRetired(
            f"In {folder.name} {quorum} agencies have cosigned the log up to entry {exported.witnessed}; the last fact"
            f" of {year} is entry {exported.facts.until}. Let them cosign a newer head, and export again."
        )
    return exported


async def _online(database: Database, year: int) -> Facts:
    """The facts of a year as the database has them, read in steps of bounded size."""
    facts, (first, beyond) = Facts(), retention.span(year)
    while True:
        async with database.working() as writer:
            await execute(writer, "set local statement_timeout = 0")
            found = await rows(writer, _FACTS, after=facts.until, first=first, beyond=beyond, step=_STEP)
        for fact in found:
            facts.add(fact)
        if len(found) < _STEP:
            return facts


async def _keep(writer: Writer, year: int, facts: Facts) -> Row:
    """Keep what tasks need of these facts, and that they are retired; raises NotRetired if there are others now."""
    first, beyond = retention.span(year)
    found = await one(
        writer,
        "select count(*) as facts, greatest(max(effective_at), make_timestamptz(:year + 1, 1, 1, 0, 0, 0, 'UTC'))"
        " as told_from from event where id >= :first and id < :beyond",
        year=year,
        first=first,
        beyond=beyond,
    )
    if found["facts"] != facts.count:
        raise NotRetired(f"Facts of {year} were added meanwhile: write a new export.")
    await rows(writer, _KEEP, first=first, beyond=beyond)
    return await one(
        writer,
        "insert into retired_year (year, facts, until, told_from, digest)"
        " values (:year, :facts, :until, :told_from, :digest) returning year, facts, until, told_from, digest",
        year=year,
        until=facts.until,
        digest=facts.digest,
        **found,
    )


async def _record(
    writer: Writer, kept: Row, exported: Exported, *, declaration: str, operator: str, dropped: bool
) -> None:
    said: dict[str, Any] = {
        "year": kept["year"],
        "count": kept["facts"],
        "until": kept["until"],
        "told_from": evidence.instant(kept["told_from"]),
        "digest": kept["digest"],
        "size": exported.size,
        "root": exported.root,
        "dropped": dropped,
        "declaration": declaration,
        "operator": operator,
    }
    year, now = str(kept["year"]), datetime.now(UTC)
    await log.record(writer, itself("cli"), EventKind.LOG_RETIRED, on="log", id=year, effective_at=now, payload=said)


async def _become_owner(writer: Writer) -> None:
    """Go on as who logged in, who owns the tables."""
    await writer.flush()
    await value(writer, "select set_config('role', 'none', true)")


async def _shown(writer: Writer, known: Row) -> Row:
    there = await value(writer, _TABLE, year=known["year"]) is not None
    shown = {name: known[name] for name in ("year", "facts", "until", "told_from")}
    return {**shown, "table": f"years.event_{known['year']}" if there else None}
