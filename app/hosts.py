"""One database on several hosts: which of them a new connection goes to."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

#: What makes one look at the next host: it is gone, it says nothing, it is starting, it has another role.
_ELSEWHERE: Final = (OSError, asyncpg.PostgresError, asyncpg.InternalClientError)


class Hosts:
    """The hosts behind one address; the last good one is asked first.

    The driver knows lists of hosts, too, but has one time for all of them, which the first that is switched off uses
    up, and gives up at the first that is starting.
    """

    def __init__(self) -> None:
        self._good: tuple[str, int] | None = None

    async def connect(self, **told: Any) -> asyncpg.Connection[Any]:
        """A connection, as `asyncpg.connect` makes it; `timeout` (seconds) is shared out among the hosts.

        Raises what the last of them answered.
        """
        if not isinstance(told.get("host"), list):
            return await asyncpg.connect(**told)
        known = list(zip(told.pop("host"), told.pop("port"), strict=True))
        patience, refused = told.pop("timeout") / len(known), None
        for host, port in sorted(known, key=lambda one: one != self._good):
            try:
                made = await asyncpg.connect(host=host, port=port, timeout=patience, **told)
            except _ELSEWHERE as error:
                refused = error
            else:
                self._good = (host, port)
                return made
        raise refused or OSError("no hosts")
