"""The whole log as whoever verifies it offline needs it, read in steps of bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from app import evidence
from app.db import Row, Writer, one, rows
from app.services import log_keys
from app.services.log_reads import MEMBERS

#: Opens a transaction that sees every row; each step has one of its own, so that none lives long.
Open = Callable[[], AbstractAsyncContextManager[Writer]]
_STEP: Final = 2_000
_RETIRED: Final = (
    "exists (select from unnest(cast(:retired as integer[])) y (year) where l.event_id >= app.first_id(y.year)"
    " and l.event_id < app.first_id(y.year + 1))"
)


async def extent(open_: Open) -> int:
    """The size of the newest head: what lies beyond it nobody has answered for yet."""
    async with open_() as writer:
        found = await one(writer, "select coalesce(max(size), 0) as size from log_head")
    return int(found["size"])


async def entries(open_: Open, *, size: int) -> AsyncIterator[list[Row]]:
    """The first `size` entries: index, leaf (hex) as it stands in the tree, document as the event spells it now.

    Of a fact whose year one of these entries declares retired the leaf alone is there; any other that is gone leaves a
    gap, to be found.
    """
    async with open_() as writer:
        declared = await rows(writer, "select distinct year from app.retirements() where index <= :size", size=size)
    for after in range(0, size, _STEP):
        async with open_() as writer:
            found = await rows(
                writer,
                f"select l.index as _index, encode(n.hash, 'hex') as _leaf, {MEMBERS} from log_entry l"
                " left join event e on e.id = l.event_id left join log_node n on n.level = 0 and n.place = l.index - 1"
                f" where l.index > :after and l.index <= :until and (e.id is not null or {_RETIRED}) order by l.index",
                after=after,
                until=min(after + _STEP, size),
                retired=[one["year"] for one in declared],
            )
        yield [
            {
                "index": event["_index"],
                "leaf": event["_leaf"],
                "document": evidence.document(event).decode() if event["id"] else None,
            }
            for event in found
        ]


async def sealed(open_: Open, *, size: int) -> AsyncIterator[list[Row]]:
    """What is sealed beside the first `size` entries (hex), with the ids of the keys; only entries that have any."""
    for after in range(0, size, _STEP):
        async with open_() as writer:
            yield await rows(
                writer,
                "select l.index, e.words_key, encode(e.words_sealed, 'hex') as words, e.person_key,"
                " encode(e.person_sealed, 'hex') as person from log_entry l join event e on e.id = l.event_id"
                " where l.index > :after and l.index <= :until and num_nonnulls(e.words_sealed, e.person_sealed) > 0"
                " order by l.index",
                after=after,
                until=min(after + _STEP, size),
            )


_HEADS: Final = """
    select size, signed as head from log_head where size > :after and size <= :until order by size limit 2000
"""
_COSIGNATURES: Final = """
    select agency, size, kid, signed as cosignature from (
        select * from cosignature where size > :after and size <= :until order by size fetch first 2000 rows with ties
    ) c order by size, agency
"""


def heads(open_: Open, *, size: int) -> AsyncIterator[list[Row]]:
    """The heads up to a size, the smallest first."""
    return _by_size(open_, _HEADS, size)


def cosignatures(open_: Open, *, size: int) -> AsyncIterator[list[Row]]:
    """The cosignatures of heads up to a size, the smallest first."""
    return _by_size(open_, _COSIGNATURES, size)


async def _by_size(open_: Open, statement: str, until: int) -> AsyncIterator[list[Row]]:
    after = 0
    while True:
        async with open_() as writer:
            found = await rows(writer, statement, after=after, until=until)
        if not found:
            return
        yield found
        after = found[-1]["size"]


async def keys(open_: Open) -> dict[str, Any]:
    """The public keys that signed heads, and those that signed cosignatures with the agency of each."""
    async with open_() as writer:
        witnesses = await rows(writer, "select distinct agency, kid, jwk from cosignature order by agency, kid")
        return {
            "log": await log_keys.published(writer),
            "witnesses": [{"agency": found["agency"], "jwk": found["jwk"]} for found in witnesses],
        }
