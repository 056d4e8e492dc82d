"""The log of deliveries, and what an agency asks for out of order: an event once more, or a ping."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row, Writer
from app.errors import NotFound, QuotaExceeded, TransitionNotAllowed
from app.models import Delivery
from app.rules.caller import Caller
from app.rules.policy import Permission
from app.rules.webhooks import MOST_ASKED, DeliveryStatus
from app.security import Keys
from app.services import webhook_rows
from app.services.paging import Keyset, Page, binding, read_page

PING: Final = "ping"
_WHILE: Final = 60
_SHOWN: Final = """
    id, event_id as event, log_index, type, status, attempts, first_attempt_at, last_attempt_at, status_code, failure,
    duration_ms, recorded_at
"""


async def list_deliveries(
    executor: Executor,
    caller: Caller,
    keys: Keys,
    id: UUID,
    *,
    limit: int,
    cursor: str | None,
    status: DeliveryStatus | None,
) -> Page:
    """What is known of the deliveries of a webhook, newest first; raises NotFound, CursorMismatch."""
    await webhook_rows.held(executor, caller, id, Permission.WEBHOOK_READ)
    keyset = Keyset("recorded_at", "id", True, binding(caller, "deliveries", id, status), keys, limit, cursor)
    given = {"webhook_id": id} if status is None else {"webhook_id": id, "status": status}
    where = [f"{name} = :{name}" for name in given]
    return await read_page(executor, keyset, columns=_SHOWN, source="from delivery", where=where, given=given)


async def ask_again(writer: Writer, caller: Caller, id: UUID, delivery: UUID) -> Row:
    """Ask for a delivery that is over once more, out of order; it is tried once.

    Raises NotFound, PermissionDenied, QuotaExceeded, and TransitionNotAllowed for one that is still to come anyway.
    """
    webhook = await webhook_rows.locked(writer, caller, id)
    found = await db.row(
        writer,
        "select status from delivery where id = :id and webhook_id = :webhook for update",
        id=delivery,
        webhook=id,
    )
    if found is None:
        raise NotFound
    if found["status"] == DeliveryStatus.FAILING:
        raise TransitionNotAllowed(action="redeliver", current=found["status"], lawful=_ways(webhook))
    await _require_room(writer, id)
    return await db.one(writer, f"update delivery set status = 'asked' where id = :id returning {_SHOWN}", id=delivery)


def _ways(webhook: Row) -> list[dict[str, Any]]:
    """What brings on a delivery that waits for its turn: making the webhook active tries at once."""
    href = f"/v1/webhooks/{webhook['id']}"
    return [{"action": "resume", "method": "PATCH", "href": href, "requires": ["status"]}]


async def ping(writer: Writer, caller: Caller, id: UUID) -> Row:
    """Ask for a delivery that is no event, to try the receiver, in whatever state the webhook is; it is tried once.

    Raises NotFound, PermissionDenied, QuotaExceeded.
    """
    await webhook_rows.locked(writer, caller, id)
    await _require_room(writer, id)
    asked = Delivery(webhook_id=id, type=PING, status=DeliveryStatus.ASKED)
    writer.add(asked)
    await writer.flush()
    return await db.one(writer, f"select {_SHOWN} from delivery where id = :id", id=asked.id)


async def _require_room(writer: Writer, webhook: UUID) -> None:
    """Refuse to queue more for one webhook than its receiver takes in a while: each turn looks at all that waits.

    Raises QuotaExceeded.
    """
    asked = await db.value(
        writer, "select count(*) from delivery where webhook_id = :webhook and status = 'asked'", webhook=webhook
    )
    if asked >= MOST_ASKED:
        raise QuotaExceeded(headers={"Retry-After": str(_WHILE)})
