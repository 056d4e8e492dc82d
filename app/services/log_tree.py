"""The tree over the log, of any size that it ever had, from the nodes that are kept."""

from __future__ import annotations

from app.db import Executor, rows, value
from app.rules.merkle import Tree, frontier_places


async def tree_of(executor: Executor, size: int) -> Tree:
    """The tree of this size, from its frontier; the log must have so many entries."""
    places = frontier_places(size)
    found = await rows(
        executor,
        "select level, place, hash from log_node join unnest(cast(:levels as integer[]), cast(:places as bigint[]))"
        " asked (level, place) using (level, place)",
        levels=[level for level, _ in places],
        places=[place for _, place in places],
    )
    hashes = {(node["level"], node["place"]): bytes(node["hash"]) for node in found}
    return Tree(size, [hashes[place] for place in places])


async def entries(executor: Executor) -> int:
    """How many entries the log has."""
    return int(await value(executor, "select coalesce(max(place) + 1, 0) from log_node where level = 0"))
