"""The origins whose web pages may call, as the clients name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from app.db import Executor, rows, value


async def registered(executor: Executor) -> Mapping[str, frozenset[str | None]]:
    """The agencies of each registered origin; None stands for the operators. The database bounds each agency's part."""
    await value(executor, "select app.become('simpul_api')")  # a login need not inherit what its role may
    agencies: defaultdict[str, set[str | None]] = defaultdict(set)
    for one in await rows(executor, "select origin, agency from app.registered_origins()"):
        agencies[one["origin"]].add(one["agency"])
    return {origin: frozenset(names) for origin, names in agencies.items()}
