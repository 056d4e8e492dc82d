"""The facts as they were meant: what people wrote in them is opened as the service opens it."""

from __future__ import annotations

from typing import Any

from app.db import Database, Row, rows
from app.services import sealing

_FACTS = (
    "select e.kind, e.object_id, e.agency, e.client_id, e.request_id, e.payload,"
    f" {sealing.SEALED} from event e {sealing.KEYS_OF}"
)


async def facts_of(database: Database, where: str, **values: Any) -> list[Row]:
    """The facts that answer to a condition on `e`, oldest first; the payload of each holds its words as well."""
    async with database.reading() as reader:
        found = await rows(reader, f"{_FACTS} where {where} order by e.id", **values)
    return [{**one, "payload": {**one["payload"], **sealing.words_of(database.keys, one)}} for one in found]
