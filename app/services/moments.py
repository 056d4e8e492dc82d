"""When a thing happened: the law's bounds on `effective_at`, with the setting that goes with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.db import Row, Writer, began, settings_of
from app.errors import ValidationFailed
from app.rules import moments


async def logged_at(writer: Writer, given: datetime | None) -> datetime:
    """When something new holds from; raises ValidationFailed."""
    return moments.effective(given, now=await began(writer), backdating=settings_of(writer).backdating)


def moved_at(writer: Writer, given: datetime | None, record: Row, *, after: str = "last_effective_at") -> datetime:
    """When a move of a record holds from: not before what the record's column `after` says; raises ValidationFailed."""
    backdating = settings_of(writer).backdating
    return moments.effective(given, now=record["now"], not_before=record[after], backdating=backdating)


def began_at(writer: Writer, given: datetime | None, *, now: datetime, pointer: str) -> datetime:
    """When something told now began; raises ValidationFailed that names the member `pointer`."""
    try:
        return moments.effective(given, now=now, backdating=settings_of(writer).backdating)
    except ValidationFailed as refused:
        raise ValidationFailed(errors=[replace(fault, pointer=pointer) for fault in refused.errors]) from refused
