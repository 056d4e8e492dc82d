"""How much of the nation a caller sees: who sees little asks by what it sees, and not by the order of all tasks."""

from __future__ import annotations

from time import monotonic
from typing import Final
from uuid import UUID

from app.db import Executor, value
from app.rules.caller import Caller

#: For how long (seconds) who saw many is not asked about again.
_REMEMBERED: Final = 60.0
_many: dict[tuple[int, str | None, str, bool], float] = {}


async def seen(executor: Executor, caller: Caller) -> list[UUID] | None:
    """The ids of the tasks that name the caller among their readers, before either wall; None where they are many.

    It decides how a list is looked for, never what is in it.
    """
    who = (id(executor.info["database"]), caller.agency, caller.role, caller.cleared)
    if _many.get(who, 0.0) > monotonic():
        return None
    found: list[UUID] | None = await value(executor, "select app.seen()")
    if found is None:
        _many[who] = monotonic() + _REMEMBERED
    return found
