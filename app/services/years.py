"""The years of the facts: each is a partition of the events, opened before it begins, set aside when it is over."""

from __future__ import annotations

from typing import Final

from app.db import Database, Row, Writer, execute, one, row, rows, value


async def keep_open(writer: Writer) -> int:
    """Open this year and the next one where they are not yet; returns how many were opened.

    Facts that came before their year was opened lie among the rest, and move into it.
    """
    return int(await value(writer, "select app.keep_years()"))


class NotSetAside(ValueError):
    """A year can't be set aside; the text is a sentence that tells why."""


_STANDING: Final = """
    select cast(to_regclass('years.event_' || cast(cast(:year as integer) as text)) as text) as part,
        :year < extract(year from now() at time zone 'UTC') as over,
        exists (select from pg_tablespace where spcname = :tablespace) as there,
        has_tablespace_privilege((select oid from pg_tablespace where spcname = :tablespace), 'create') as allowed
"""
# the table, with what is too long for its pages, and then its indexes
_MOVES: Final = """
    select format('alter table %s set tablespace %I', cast(to_regclass(:part) as text), cast(:tablespace as text))
        as step
    union all select format('alter index %s set tablespace %I', cast(cast(indexrelid as regclass) as text),
        cast(:tablespace as text)) from pg_index where indrelid = to_regclass(:part)
"""
_LIES: Final = """
    select cast(:year as integer) as year, coalesce(t.spcname, d.spcname) as tablespace,
        pg_total_relation_size(c.oid) as bytes, cast(c.reltuples as bigint) as facts
    from pg_class c left join pg_tablespace t on t.oid = c.reltablespace
    cross join (select s.spcname from pg_database b join pg_tablespace s on s.oid = b.dattablespace
        where b.datname = current_database()) d
    where c.oid = to_regclass(:part)
"""


async def set_aside(database: Database, *, year: int, tablespace: str | None) -> Row:
    """Freeze a year that is over, once for good, and move it to a tablespace if one is named; as who owns the database.

    Its facts stay what and where they are for whoever reads; while they move, readers of that year wait. Returns where
    it lies now, its size in bytes, and about how many facts it has. Raises NotSetAside.
    """
    async with database.writing() as writer:
        part = await _part(writer, year, tablespace)
        if tablespace is not None:
            moves = await rows(writer, _MOVES, part=part, tablespace=tablespace)
            await execute(writer, "set local statement_timeout = 0")
            for move in moves:
                await execute(writer, move["step"])
    async with database.engine.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("set statement_timeout = 0")
        await connection.exec_driver_sql(f"vacuum (freeze, analyze) {part}")
        await opened.invalidate()  # nobody else waits without an end
    async with database.reading() as reader:
        return await one(reader, _LIES, year=year, part=part)


async def _part(writer: Writer, year: int, tablespace: str | None) -> str:
    found = await row(writer, _STANDING, year=year, tablespace=tablespace)
    if found is None or found["part"] is None:
        raise NotSetAside(f"There is no table of the facts of {year}.")
    if not found["over"]:
        raise NotSetAside(f"The year {year} is not over (UTC): facts still come in.")
    if tablespace is not None and not found["there"]:
        raise NotSetAside(f"There is no tablespace {tablespace}; an administrator makes one with `create tablespace`.")
    if tablespace is not None and not found["allowed"]:
        raise NotSetAside(f"The owner of the database may not use the tablespace {tablespace}: grant it `create`.")
    return str(found["part"])
