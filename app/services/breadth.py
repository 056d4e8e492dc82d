"""How much of the nation a caller sees: who sees much has a list looked for in its order."""

from __future__ import annotations

from time import monotonic
from typing import Final

from app.db import Executor, value
from app.rules.caller import Caller

#: For how long (seconds) what was found of somebody is not asked about again.
_REMEMBERED: Final = 60.0
_known: dict[tuple[int, str | None, str, bool], tuple[float, bool]] = {}


async def sees_many(executor: Executor, caller: Caller) -> bool:
    """Whether more tasks name the caller among their readers than one would sort for a page.

    It decides how a list is looked for, never what is in it.
    """
    who = (id(executor.info["database"]), caller.agency, caller.role, caller.cleared)
    until, many = _known.get(who, (0.0, False))
    if until <= monotonic():
        many = bool(await value(executor, "select app.sees_many()"))
        _known[who] = (monotonic() + _REMEMBERED, many)
    return many
