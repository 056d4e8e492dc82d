"""The years of the facts: each is a partition of the events, and is opened before it begins."""

from __future__ import annotations

from app.db import Writer, value


async def keep_open(writer: Writer) -> int:
    """Open this year and the next one where they are not yet; returns how many were opened.

    Facts that came before their year was opened lie among the rest, and move into it.
    """
    return int(await value(writer, "select app.keep_years()"))
