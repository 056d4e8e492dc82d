"""The origins whose web pages may call, as the clients name them."""

from __future__ import annotations

from app.db import Executor, rows


async def agencies_of(executor: Executor, origin: str) -> frozenset[str | None]:
    """The agencies whose active clients name this origin; None stands for the operators."""
    found = await rows(executor, "select agency from app.agencies_of(:origin)", origin=origin)
    return frozenset(one["agency"] for one in found)
