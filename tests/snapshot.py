"""What the database holds, in figures: a refused request must leave every one of them as it was.

The log grows by itself, behind whoever entered a fact; the facts themselves are counted.
"""

from __future__ import annotations

import asyncio

from app import db
from app.db import Database

_OF_THE_LOG = ("unsequenced", "log_entry", "log_node", "log_head")


async def snapshot(database: Database) -> dict[str, tuple[int, int]]:
    """Rows of each table, and the sum of their versions where they have one."""
    async with database.reading() as reader:
        tables = await db.rows(
            reader,
            "select c.relname as name, exists (select from pg_attribute a where a.attrelid = c.oid"
            " and a.attname = 'version' and not a.attisdropped) as versioned"
            " from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
            " and not relname = any(:of_the_log) order by 1",
            of_the_log=list(_OF_THE_LOG),
        )
        counts = " union all ".join(
            f"select '{one['name']}' as name, count(*) as rows,"
            f' coalesce(sum({"version" if one["versioned"] else "0"}), 0)::bigint as versions from "{one["name"]}"'
            for one in tables
        )
        found = await db.rows(reader, counts)
    assert len(found) > 20
    return {one["name"]: (one["rows"], one["versions"]) for one in found}


async def rested(database: Database) -> dict[str, tuple[int, int]]:
    """The same, once the background process has nothing left to do: clocks that were told late run out at once."""
    newest, before = await snapshot(database), None
    while newest != before:
        await asyncio.sleep(2.5)
        newest, before = await snapshot(database), newest
    return newest


def after_refusals(before: dict[str, tuple[int, int]], count: int) -> dict[str, tuple[int, int]]:
    """The same after so many refusals that are facts, each of which adds its one row and nothing else."""
    rows, versions = before["event"]
    return {**before, "event": (rows + count, versions)}
