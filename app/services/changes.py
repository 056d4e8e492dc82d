"""What every change of the registry shares: its fact."""

from __future__ import annotations

from datetime import UTC, datetime

from app.db import Writer
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.services import log


async def record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    on: str,
    id: str,
    versions: tuple[int | None, int | None],
    changed: list[str] | None = None,
) -> None:
    """Enter the fact of a change of the registry."""
    payload = {} if changed is None else {"changed": changed}
    await log.record(
        writer, caller, kind, on=on, id=id, effective_at=datetime.now(UTC), versions=versions, payload=payload
    )
