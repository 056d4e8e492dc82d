"""Refused requests and failed authentications as facts of the log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.db import Writer, row
from app.errors import Problem
from app.rules.caller import Caller, itself
from app.rules.facts import EventKind
from app.services import log
from app.services.callers import claim


class Failure(NamedTuple):
    """What failed authentications are counted by: the client they named, where they came from, in which minute, why.

    None stands for a client or an address that is not told apart.
    """

    client: UUID | None
    address: str | None
    minute: datetime
    code: str


async def record_refusal(
    writer: Writer, caller: Caller, refused: Problem, *, operation: str, method: str, object: UUID | None
) -> None:
    """Enter that a request of a known caller was refused: what it asked for, of which record, never what it sent."""
    said: dict[str, Any] = {"operation": operation, "method": method, "code": refused.code}
    if "permission" in refused.facts:
        said["permission"] = refused.facts["permission"]
    if object is not None:
        said["object"] = object
    await claim(writer, caller.client_id)
    await log.record(
        writer,
        caller,
        EventKind.REQUEST_REFUSED,
        on="request",
        id=caller.request_id,
        effective_at=datetime.now(UTC),
        payload=said,
    )


async def record_failures(writer: Writer, counted: Mapping[Failure, int]) -> None:
    """Enter counts of failed authentications, ours to tell: whoever failed did not prove to be that client."""
    agencies: dict[UUID, str | None] = {}
    for client in sorted({one.client for one in counted if one.client is not None}):
        await claim(writer, client)
        found = await row(writer, "select agency from client where id = :client", client=client)
        if found is not None:
            agencies[client] = found["agency"]
    await claim(writer, None)
    for failure, count in _of_known(counted, agencies).items():
        await log.record(
            writer,
            itself("door"),
            EventKind.AUTHENTICATION_FAILED,
            on="client" if failure.client else "address",
            id=failure.client or failure.address or "*",
            effective_at=failure.minute,
            concerns=agencies[failure.client] if failure.client else None,
            payload={
                "client": failure.client,
                "address": failure.address,
                "minute": failure.minute.isoformat(),
                "count": count,
                "code": failure.code,
            },
        )


def _of_known(counted: Mapping[Failure, int], known: Mapping[UUID, Any]) -> dict[Failure, int]:
    """The counts without clients that do not exist, whose ids are anybody's invention."""
    summed: dict[Failure, int] = {}
    for failure, count in counted.items():
        kept = failure if failure.client in known else failure._replace(client=None)
        summed[kept] = summed.get(kept, 0) + count
    return summed
