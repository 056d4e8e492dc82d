"""What every change of the registry shares: the compare-and-set by key, and its fact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.db import Writer, value
from app.errors import NotFound, StaleVersion
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.services import log


async def compare_and_set(
    writer: Writer, table: str, key: dict[str, Any], version: int, changed: dict[str, Any]
) -> int:
    """Change a row if its version still holds; returns the new one. Raises NotFound, StaleVersion."""
    where = " and ".join(f"{name} = :{name}" for name in key)
    sets = "".join(f', "{name}" = :new_{name}' for name in changed)
    new = await value(
        writer,
        f"update {table} set version = version + 1{sets} where {where} and version = :version returning version",
        version=version,
        **key,
        **{f"new_{name}": content for name, content in changed.items()},
    )
    if new is None:
        current = await value(writer, f"select version from {table} where {where}", **key)
        if current is None:
            raise NotFound
        raise StaleVersion(current_etag=f'"{current}"')
    return int(new)


def record(
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
    log.record(writer, caller, kind, on=on, id=id, effective_at=datetime.now(UTC), versions=versions, payload=payload)
