"""The origins whose web pages may call, as the clients name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from app.db import Executor, rows


async def registered(executor: Executor, *, most: int = 5_000) -> Mapping[str, frozenset[str | None]]:
    """The agencies of the active clients of each origin, at most `most` pairs; None stands for the operators."""
    found = await rows(executor, f"select origin, agency from app.registered_origins() limit {most:d}")
    agencies: defaultdict[str, set[str | None]] = defaultdict(set)
    for one in found:
        agencies[one["origin"]].add(one["agency"])
    return {origin: frozenset(names) for origin, names in agencies.items()}
