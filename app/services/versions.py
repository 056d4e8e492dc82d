"""Versions: what If-Match is held against, and the one UPDATE that only the holder of the current version wins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.db import Row, Writer, row, value
from app.entries import stored
from app.errors import NotFound, PreconditionRequired, StaleVersion
from app.models import metadata

_ETAG: Final = re.compile(r'"?(\d{1,9})(-[0-9a-f]{1,64})?"?', re.ASCII)


def version_of(tag: str | None) -> int:
    """The version that an If-Match names; 0, which no record has, when it names no single one of ours.

    Raises PreconditionRequired where there is none.
    """
    if tag is None:
        raise PreconditionRequired
    match = _ETAG.fullmatch(tag.strip())
    return int(match[1]) if match else 0


def digest(content: bytes) -> str:
    """A short name of some bytes: the same bytes, the same name."""
    return hashlib.sha256(content).hexdigest()[:12]


def check_version(current: int, expected: int) -> None:
    """Refuse an outdated If-Match; raises StaleVersion."""
    if current != expected:
        raise StaleVersion(current_etag=f'"{current}"')


async def compare_and_set(
    writer: Writer,
    table: str,
    key: Mapping[str, Any],
    version: int,
    changed: Mapping[str, Any],
    *,
    sources: Iterable[str] | None = None,
    returning: Iterable[str] = ("version",),
) -> Row:
    """Change the row of this key if its version still holds, and its status is among `sources` where they are named.

    Returns these columns of the row as it is now. Raises StaleVersion, or NotFound when there is none.
    """
    held = metadata.tables[table]
    own = {f"its_{name}": content for name, content in key.items()}
    new = {f"new_{name}": content for name, content in stored(held, changed).items()}
    its_own = " and ".join(f"{name} = :its_{name}" for name in key)
    stamp = ["updated_at = now()"] if "updated_at" in held.c else []
    sets = ", ".join(["version = version + 1", *stamp, *(f"{name} = :new_{name}" for name in changed)])
    allowed = "" if sources is None else " and status = any(:sources)"
    won = await row(
        writer,
        f"update {table} set {sets} where {its_own} and version = :version{allowed} returning {', '.join(returning)}",
        **own,
        **new,
        version=version,
        **({} if sources is None else {"sources": list(sources)}),
    )
    if won is not None:
        return won
    current = await value(writer, f"select version from {table} where {its_own}", **own)
    if current is None:
        raise NotFound
    raise StaleVersion(current_etag=f'"{current}"')
