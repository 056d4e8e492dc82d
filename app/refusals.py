"""Requests that were refused: who was known is recorded at once, who was not is counted by the minute.

A refusal by permission or standing is a fact of its own, entered before its answer goes out: what can't be recorded
can't be answered either. It is bounded by the quota of the client, for what goes beyond that is no such refusal. Before
anybody is known there is no such bound, so failed authentications are counted in the memory of this process, for each
client, address and minute, and entered when the minute is over or the process stops: one that is killed loses the last
minute's counts.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from fastapi import Request
from prometheus_client import Counter

from app.db import Database
from app.errors import (
    AddressNotAllowed,
    AgencySuspended,
    Denied,
    Problem,
    TemporarilyUnavailable,
    TokenInvalid,
    TokenMissing,
)
from app.quota import network_of
from app.services import refusals
from app.services.refusals import Failure

#: Refused before the quota of the caller counts.
UNKNOWN: Final = (TokenMissing, TokenInvalid, AgencySuspended, AddressNotAllowed)
#: How many clients and addresses are told apart between two entries; the rest of a minute is summed by code.
APART: Final = 200
REFUSED: Final = Counter("simpul_refusals", "Requests refused by permission, standing or authentication.", ("code",))
#: Seconds of what is called a minute here.
MINUTE: Final = 60.0
_log: Final = structlog.get_logger()


class Refusals:
    """What one process refuses."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[Failure, int] = {}

    async def record(self, request: Request, refused: Problem, *, operation: str) -> None:
        """Enter the refusal of a known caller, or each that stands behind it, in a transaction of its own.

        Raises TemporarilyUnavailable.
        """
        caller, method = request.state.caller, request.method
        denied = refused.denied or (Denied(refused, operation, _object(request)),)
        for one in denied:
            REFUSED.labels(one.problem.code).inc()
        try:
            async with self._database.writing() as writer:
                for problem, name, record in denied:
                    await refusals.record_refusal(writer, caller, problem, operation=name, method=method, object=record)
        except Exception as error:
            _log.warning("refusal_not_recorded", error=type(error).__qualname__)
            raise TemporarilyUnavailable from error

    def count(self, request: Request, code: str, *, client: UUID | None = None) -> None:
        """Count a failed authentication, in the name of a client if it gave one."""
        REFUSED.labels(code).inc()
        minute = _minute()
        failure = Failure(client, network_of(request), minute, code)
        if failure not in self._counted and len(self._counted) >= APART:
            failure = Failure(None, None, minute, code)
        self._counted[failure] = self._counted.get(failure, 0) + 1

    async def keep(self) -> None:
        """Enter the counts of each minute when it is over, for ever; what can't be entered now is entered later."""
        while True:
            over = _minute() + timedelta(seconds=MINUTE)
            await asyncio.sleep((over - datetime.now(UTC)).total_seconds())
            await self.enter(before=over)

    async def enter(self, *, before: datetime | None = None) -> None:
        """Enter the counts of minutes that began before an instant; by default all there are."""
        over = [one for one in self._counted if before is None or one.minute < before]
        counted = {one: self._counted[one] for one in over}
        if not counted:
            return
        try:
            async with self._database.writing() as writer:
                await refusals.record_failures(writer, counted)
        except Exception as error:  # noqa: BLE001 - whatever it was, the counts are kept for the next round
            _log.warning("failures_not_entered", error=type(error).__qualname__)
            return
        for one, count in counted.items():
            self._counted[one] -= count
            if not self._counted[one]:
                del self._counted[one]


def _minute() -> datetime:
    """When this minute began."""
    return datetime.fromtimestamp(time.time() // MINUTE * MINUTE, UTC)


def _object(request: Request) -> UUID | None:
    """The record that the path names first, if it is one of ours to name: text of the caller's own is not repeated."""
    named = next(iter(request.path_params.values()), "")
    try:
        return UUID(str(named))
    except ValueError:
        return None
