"""The tree over the log, of any size that it ever had, from the nodes that are kept."""

from __future__ import annotations

from collections.abc import Collection

from app.db import Executor, rows, value
from app.rules.merkle import Tree, frontier_places

Node = tuple[int, int]


async def tree_of(executor: Executor, size: int) -> Tree:
    """The tree of this size, from its frontier; the log must have so many entries."""
    places = frontier_places(size)
    hashes = await nodes(executor, places)
    return Tree(size, [hashes[place] for place in places])


async def nodes(executor: Executor, places: Collection[Node]) -> dict[Node, bytes]:
    """The nodes at these places (level, place in it), in one statement."""
    found = await rows(
        executor,
        "select level, place, hash from log_node join unnest(cast(:levels as integer[]), cast(:places as bigint[]))"
        " asked (level, place) using (level, place)",
        levels=[level for level, _ in places],
        places=[place for _, place in places],
    )
    return {(one["level"], one["place"]): bytes(one["hash"]) for one in found}


async def entries(executor: Executor) -> int:
    """How many entries the log has."""
    return int(await value(executor, "select coalesce(max(place) + 1, 0) from log_node where level = 0"))
