"""The keys that sign deliveries: made, shown by their public halves, rotated with overlap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, one, rows
from app.models import WebhookSecret
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.webhooks import SignatureScheme
from app.schemas.webhooks import WebhookRotationInput
from app.security import Keys
from app.services import client_rows, webhook_rows
from app.webhook_signatures import make, opened, sealed

_LIVE: Final = "webhook_id = :webhook and (ends_at is null or ends_at > now())"
_SHOWN: Final = "id, public_key, recorded_at, ends_at"


async def add_key(writer: Writer, keys: Keys, webhook: UUID, scheme: SignatureScheme, *, by: UUID | None) -> Row:
    """Give a webhook a fresh key; returns what is shown of it this once."""
    made = make(scheme)
    kept = WebhookSecret(webhook_id=webhook, public_key=made.public_key, sealed=b"", created_by=by)
    kept.sealed = sealed(keys, kept.id, made)
    writer.add(kept)
    await writer.flush()
    shown = await one(writer, f"select {_SHOWN} from webhook_secret where id = :id", id=kept.id)
    return {**shown, "secret": made.shared}


async def list_keys(executor: Executor, caller: Caller, id: UUID) -> list[Row]:
    """The keys that sign now, newest first; raises NotFound, PermissionDenied."""
    await webhook_rows.held(executor, caller, id, Permission.WEBHOOK_READ)
    return await rows(executor, f"select {_SHOWN} from webhook_secret where {_LIVE} order by id desc", webhook=id)


async def rotate(writer: Writer, caller: Caller, keys: Keys, id: UUID, input: WebhookRotationInput) -> dict[str, Any]:
    """Give a webhook a new key, which signs at once; the newest before it signs as well for the overlap (hours).

    Any older one, and with an overlap of 0 all of them, end now. Raises NotFound, PermissionDenied.
    """
    webhook = await webhook_rows.locked(writer, caller, id)
    client_rows.require_clearance(caller, webhook["clearance"])
    retired = await rows(writer, _RETIRE, webhook=id, overlap=timedelta(hours=input.overlap_hours))
    made = await add_key(writer, keys, id, SignatureScheme(webhook["signature"]), by=caller.client_id)
    said = {
        "key": str(made["id"]),
        "overlap_hours": input.overlap_hours,
        "retired": [str(one["id"]) for one in retired],
        "reason": input.reason,
    }
    versions = (webhook["version"], webhook["version"])
    await webhook_rows.record(
        writer, caller, EventKind.WEBHOOK_SECRET_ROTATED, webhook, versions=versions, payload=said
    )
    return made


_RETIRE: Final = f"""
    with live as (
        select id, row_number() over (order by id desc) as place from webhook_secret where {_LIVE}
    )
    update webhook_secret s
    set ends_at = least(s.ends_at, case when live.place = 1 then now() + :overlap else now() end)
    from live where live.id = s.id
    returning s.id
"""


async def live_keys(executor: Executor, keys: Keys, webhook: UUID) -> list[bytes]:
    """The private content of the keys that sign now, newest first; raises ValueError under another pepper."""
    found = await rows(
        executor, f"select id, sealed from webhook_secret where {_LIVE} order by id desc", webhook=webhook
    )
    return [opened(keys, UUID(str(one["id"])), one["sealed"]) for one in found]


async def forget_ended(writer: Writer) -> int:
    """Delete the keys that sign no more; returns how many."""
    return len(await rows(writer, "delete from webhook_secret where ends_at <= now() returning id"))
