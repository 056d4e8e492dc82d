"""Retiring a year of facts: they leave the database after they have left as evidence, and their leaves stay.

What a task needs of them is kept first, as `retired_fact`: which there were, the state they left it in, what was said.
All of it happens in one transaction, so that a year is either online or retired, whenever somebody is killed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app import evidence, exported_year
from app.db import Database, Row, Writer, execute, one, row, rows, settings_of, value, work
from app.exported_year import Exported, Facts
from app.log_files import Cosignature, stated
from app.rules import retention
from app.rules.caller import itself
from app.rules.facts import EventKind
from app.services import locks, log
from app.services.locks import Lock
from app.statements import Kind, Unsigned

#: How many facts are read in one go.
_STEP: Final = 5_000
#: How long others may have to wait for us, who wait for them: readers end within seconds, else it is said again.
_PATIENCE: Final = "set local lock_timeout = '2s'"
_TABLE: Final = """
    select not c.relispartition as apart from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'years' and c.relname = 'event_' || cast(cast(:year as integer) as text) and c.relkind = 'r'
"""
_KNOWN: Final = """
    select year, facts, until, told_from, digest, remains, exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid = relation and n.nspname = 'years' and c.relname = 'event_' || year
    ) as noted
    from retired_year where year = :year
"""
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
_COSIGNED: Final = """
    select distinct on (c.agency) c.agency, c.jwk, c.signed, encode(h.root, 'hex') as root
    from cosignature c join log_head h on h.size = c.size
    where c.size >= :until and exists (
        select from client_key k join client l on l.id = k.client_id where l.agency = c.agency and k.jwk = c.jwk
    ) order by c.agency, c.size desc
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
            await _require_left(writer, known)
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
        await _unhurried(writer)
        await execute(writer, _PATIENCE)
        await execute(writer, f"lock table years.event_{year} in share mode")  # nothing is added from here on
        await work(writer)
        await locks.wait(writer, Lock.RETIREMENT)
        if await row(writer, _KNOWN, year=year) is not None:
            raise NotRetired(f"Somebody else has retired {year} just now.")
        await _require_free(writer, year)
        kept = await _keep(writer, year, exported.facts)
        await work(writer)
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
        await _unhurried(writer)
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
        if not known["noted"]:
            raise NotRetired(f"years.event_{year} is not the table that was taken offline: somebody has exchanged it.")
        await _require_left(writer, known)
        await _record(writer, known, exported, declaration=declaration, operator=operator, dropped=True)
        await _become_owner(writer)
        await execute(writer, f"drop table years.event_{year}")
        return await _shown(writer, known)


async def _require_free(writer: Writer, year: int) -> None:
    """Refuse a year that something holds; raises NotRetired."""
    await _unhurried(writer)
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
    """An export that is right in itself and of this very log, in which enough agencies have cosigned the year.

    Raises NotRetired, Unreadable.
    """
    exported = await asyncio.to_thread(exported_year.read, folder, year)
    if exported.findings:
        raise NotRetired(f"{folder.name} does not verify: {exported.findings[0]}")
    async with database.working() as writer:
        root = await value(writer, "select encode(root, 'hex') from log_head where size = :size", size=exported.size)
        witnesses = await _witnesses(writer, exported.facts.until)
    if exported.root != root:
        raise NotRetired(
            f"{folder.name} is of another log: there is no head over {exported.size} entries with its root."
        )
    if len(witnesses) < database.settings.witnesses:
        raise NotRetired(
            f"{len(witnesses)} of {database.settings.witnesses} agencies have cosigned a head over entry"
            f" {exported.facts.until}, the last fact of {year}: let them cosign a newer one."
        )
    return exported


async def _witnesses(writer: Writer, until: int) -> list[str]:
    """The agencies that have cosigned a head over an entry, by a key that they have registered.

    An export tells nothing of it: its witnesses may have been made up for it.
    """
    found = []
    for signed in await rows(writer, _COSIGNED, until=until):
        with suppress(Unsigned):
            said = stated([signed["jwk"]], Kind.COSIGNATURE, Cosignature, signed["signed"])
            if (said.iss, said.root) == (signed["agency"], signed["root"]) and said.size >= until:
                found.append(said.iss)
    return found


async def _online(database: Database, year: int) -> Facts:
    """The facts of a year as the database has them, read in steps of bounded size."""
    facts, (first, beyond) = Facts(), retention.span(year)
    while True:
        async with database.working() as writer:
            await _unhurried(writer)
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
    told_from = found["told_from"]
    known = {"year": year, "facts": facts.count, "until": facts.until, "told_from": told_from, "digest": facts.digest}
    await _become_owner(writer)
    statement = "select app.keep_year(:year, :facts, :until, :told_from, :digest)"
    return {**known, "remains": await value(writer, statement, **known)}


async def _require_left(writer: Writer, known: Row) -> None:
    """Refuse where what is left of the facts is not what the log says of it; raises NotRetired."""
    year = known["year"]
    declared = await value(writer, "select count(*) from app.retirements() where year = :year", year=year)
    if not declared or await value(writer, "select app.remains_of(:year)", year=year) != known["remains"]:
        raise NotRetired(f"What is left of the facts of {year} is not what the log says: somebody has changed it.")


async def _record(
    writer: Writer, kept: Row, exported: Exported, *, declaration: str, operator: str, dropped: bool
) -> None:
    said: dict[str, Any] = {
        "year": kept["year"],
        "count": kept["facts"],
        "until": kept["until"],
        "told_from": evidence.instant(kept["told_from"]),
        "digest": kept["digest"],
        "remains": kept["remains"],
        "retention": settings_of(writer).retention_years,
        "quorum": settings_of(writer).witnesses,
        "witnesses": await _witnesses(writer, kept["until"]),
        "size": exported.size,
        "root": exported.root,
        "dropped": dropped,
        "declaration": declaration,
        "operator": operator,
    }
    year, now = str(kept["year"]), datetime.now(UTC)
    await log.record(writer, itself("cli"), EventKind.LOG_RETIRED, on="log", id=year, effective_at=now, payload=said)


async def _unhurried(writer: Writer) -> None:
    """Let statements take as long as a year of facts asks for."""
    await execute(writer, "set local statement_timeout = 0")


async def _become_owner(writer: Writer) -> None:
    """Go on as who logged in, who owns the tables."""
    await writer.flush()
    await value(writer, "select set_config('role', 'none', true)")


async def _shown(writer: Writer, known: Row) -> Row:
    there = await value(writer, _TABLE, year=known["year"]) is not None
    shown = {name: known[name] for name in ("year", "facts", "until", "told_from")}
    return {**shown, "table": f"years.event_{known['year']}" if there else None}
