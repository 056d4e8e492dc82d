"""Facts of a year that is over: entered today over HTTP, put back in time before they get their places in the log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from app import evidence

#: Opens a transaction of who owns the whole server.
Superuser = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
_GUARDS: Final = ("keep_facts", "queue_event")
_DOCUMENTS: Final = ("payload", "words")


async def age(superuser: Superuser, year: int) -> int:
    """Let all facts that wait for their place have been entered on 1 December of a year; returns how many they are.

    Each keeps its order, and has the id, the instant and the leaf that it would have had.
    """
    async with superuser() as connection:
        found = await connection.execute(
            text("select * from event where id in (select event_id from unsequenced) order by id")
        )
        facts = [dict(one) for one in found.mappings()]
        back = int(facts[0]["id"]) >> 80
        back -= int(datetime(year, 12, 1, tzinfo=UTC).timestamp() * 1000)
        for guard in _GUARDS:
            await connection.execute(text(f"alter table event disable trigger {guard}"))
        for fact in facts:
            before, aged = fact["id"], _aged(fact, back)
            names = ", ".join(aged)
            values = ", ".join(f":{name}" for name in aged)
            await connection.execute(text("delete from event where id = :id"), {"id": before})
            insert = text(f"insert into event ({names}) values ({values})").bindparams(
                *(bindparam(name, type_=JSONB) for name in _DOCUMENTS)
            )
            await connection.execute(insert, aged)
            await connection.execute(
                text("update unsequenced set event_id = :id where event_id = :before"),
                {"id": aged["id"], "before": before},
            )
        for guard in _GUARDS:
            await connection.execute(text(f"alter table event enable always trigger {guard}"))
    return len(facts)


def _aged(fact: dict[str, Any], back: int) -> dict[str, Any]:
    """A fact as it would have been entered so many milliseconds earlier."""
    recorded_at = fact["recorded_at"] - timedelta(milliseconds=back)
    aged = {
        **fact,
        "id": UUID(int=int(fact["id"]) - (back << 80)),
        "recorded_at": recorded_at,
        "effective_at": min(fact["effective_at"], recorded_at),
    }
    return {**aged, "leaf": evidence.leaf(evidence.document(aged))}
