"""Webhooks as they are read: who may see one, what is shown of it, and the lock under which it is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row, Writer
from app.errors import NotFound
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission as P
from app.security import Keys
from app.services import log
from app.services.client_rows import listed, own
from app.services.paging import Keyset, Page, binding, read_page

_COLUMNS: Final = """
    id, agency, url, types, description, clearance, signature, status, position, failing_since, attempts, retry_at,
    recorded_at, version
"""


async def held(executor: Executor, caller: Caller, id: UUID, permission: P) -> Row:
    """A webhook on which the caller has a permission; raises NotFound when it may not see it, PermissionDenied."""
    return _admitted(caller, await shown(executor, id), permission)


async def locked(writer: Writer, caller: Caller, id: UUID) -> Row:
    """One that the caller may keep, and nobody else changes or moves it until the end of this transaction."""
    webhook = await db.one(writer, f"select {_COLUMNS} from webhook where id = :id for update", id=id)
    return _admitted(caller, webhook, P.WEBHOOK_KEEP)


async def shown(executor: Executor, id: UUID) -> Row:
    """The representation of a webhook; raises NotFound."""
    return await db.one(executor, f"select {_COLUMNS} from webhook where id = :id", id=id)


def _admitted(caller: Caller, webhook: Row, permission: P) -> Row:
    stands = own(caller, webhook["agency"])
    if not policy.may(caller.role, P.WEBHOOK_READ, stands):
        raise NotFound
    policy.require(caller.role, permission, stands)
    return webhook


async def list_webhooks(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, agency: str | None
) -> Page:
    """Webhooks, newest first: all for an operator, else those of the own agency."""
    keyset = Keyset("recorded_at", "id", True, binding(caller, "webhooks", agency), keys, limit, cursor)
    where, given = listed(caller, agency)
    return await read_page(executor, keyset, columns=_COLUMNS, source="from webhook", where=where, given=given)


async def record(
    writer: Writer,
    caller: Caller,
    kind: EventKind,
    webhook: Row,
    *,
    versions: tuple[int | None, int | None],
    payload: dict[str, Any],
) -> None:
    """Enter a fact of a webhook. Its address may hold a secret and is in none of them."""
    await log.record(
        writer,
        caller,
        kind,
        on="webhook",
        id=webhook["id"],
        effective_at=datetime.now(UTC),
        versions=versions,
        payload=payload,
        concerns=webhook["agency"],
    )
