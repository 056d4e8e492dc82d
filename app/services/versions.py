"""Versions: what If-Match is held against, and the one UPDATE that only the holder of the current version wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import func, select, update

from app.db import Row, Writer
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
    its_own = [held.c[name] == content for name, content in key.items()]
    allowed = [] if sources is None else [held.c.status.in_(list(sources))]
    stamp = {"updated_at": func.now()} if "updated_at" in held.c else {}
    won = await writer.execute(
        update(held)
        .where(*its_own, held.c.version == version, *allowed)
        .values({"version": held.c.version + 1, **stamp, **changed})
        .returning(*(held.c[name] for name in returning))
    )
    row = won.mappings().one_or_none()
    if row is not None:
        return dict(row)
    current = (await writer.execute(select(held.c.version).where(*its_own))).scalar_one_or_none()
    if current is None:
        raise NotFound
    raise StaleVersion(current_etag=f'"{current}"')
