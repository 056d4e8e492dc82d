"""How much of the nation a caller sees: who sees much has a list looked for in its order."""

from __future__ import annotations

from app.db import Executor, value
from app.rules.caller import Caller


async def sees_many(executor: Executor, caller: Caller) -> bool:
    """Whether more tasks name the caller among their readers than one would sort for a page; asked once a minute.

    It decides how a list is looked for, never what is in it.
    """
    known = executor.info["database"].breadths
    who = caller.agency, caller.role, caller.cleared
    many: bool | None = known.get(who)
    if many is None:
        many = known[who] = bool(await value(executor, "select app.sees_many()"))
    return many
