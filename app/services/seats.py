"""Seats: what one process gives to so many at a time, and to none of them all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.errors import QuotaExceeded
from app.rules.caller import Caller


class Seats:
    """So many at a time: of a client, of an agency, which makes as many clients as it likes, and in all."""

    def __init__(self, *, client: int, agency: int, process: int, again_after: int = 1) -> None:
        self._most = (client, agency, process)
        self._again_after = again_after
        self._clients: Counter[UUID | None] = Counter()
        self._agencies: Counter[str | None] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._clients.total()

    @contextmanager
    def joined(self, caller: Caller) -> Iterator[None]:
        """One more for as long as the block lasts; raises QuotaExceeded, to come again after so many seconds."""
        taken = (self._clients[caller.client_id], self._agencies[caller.agency], self.taken)
        if any(one >= most for one, most in zip(taken, self._most, strict=True)):
            raise QuotaExceeded(headers={"Retry-After": str(self._again_after)})
        self._clients[caller.client_id] += 1
        self._agencies[caller.agency] += 1
        try:
            yield
        finally:
            self._clients -= Counter([caller.client_id])
            self._agencies -= Counter([caller.agency])
