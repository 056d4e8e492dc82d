"""What happens to webhooks: created, changed, paused, resumed, deleted."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.db import Row, Writer, settings_of, value
from app.errors import ValidationFailed
from app.models import Webhook
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.webhooks import MOST, WebhookStatus
from app.schemas.webhooks import WebhookInput, WebhookPatch
from app.security import Keys
from app.services import client_rows, feed, locks, log_tree, records, webhook_keys, webhook_rows, webhook_targets
from app.services.locks import Lock
from app.services.versions import check_version, compare_and_set

#: What a webhook that is to be tried anew forgets.
_AFRESH: Final = {"failing_since": None, "attempts": 0, "retry_at": None}


async def create_webhook(writer: Writer, caller: Caller, keys: Keys, input: WebhookInput) -> dict[str, Any]:
    """Create a webhook with its first key; a shared secret is shown this once.

    Raises PermissionDenied, ValidationFailed.
    """
    agency = input.agency or caller.agency
    policy.require(caller.role, Permission.WEBHOOK_KEEP, client_rows.own(caller, agency))
    client_rows.require_clearance(caller, input.clearance)
    if agency is None:
        raise records.refused("/agency", "missing", "Name its agency.", "Sebutkan instansinya.")
    await records.require_known(writer, agencies={"/agency": agency})
    webhook = Webhook(
        agency=agency,
        url=webhook_targets.require_target(input.url, settings_of(writer)),
        types=input.types,
        description=input.description,
        clearance=input.clearance,
        signature=input.signature,
        position=await _beginning(writer, input.after),
        created_by=caller.client_id,
    )
    await _require_room(writer, agency)
    writer.add(webhook)
    await writer.flush()
    key = await webhook_keys.add_key(writer, keys, webhook.id, input.signature, by=caller.client_id)
    said = {"types": input.types, "clearance": input.clearance, "signature": input.signature, "key": str(key["id"])}
    made = await webhook_rows.shown(writer, webhook.id)
    await webhook_rows.record(writer, caller, EventKind.WEBHOOK_CREATED, made, versions=(None, 1), payload=said)
    await _require_told(writer, webhook.position)
    return {**made, "key": key}


async def _beginning(writer: Writer, after: int | None) -> int:
    """Where a webhook begins: at the newest entry, or after an older one; raises ValidationFailed."""
    newest = await log_tree.entries(writer)
    if after is None:
        return newest
    if after > newest:
        raise records.refused("/after", "too-large", "The log is not that long yet.", "Log belum sepanjang itu.")
    return after


async def _require_told(writer: Writer, position: int) -> None:
    """Refuse to begin before what was retired; raises ValidationFailed.

    Asked after a fact was entered: whoever retires a year waits for that, or made it wait, and then all is seen.
    """
    floor = await value(writer, "select max(until) from retired_year")
    if floor is not None and position < floor:
        raise ValidationFailed(errors=[feed.retired(floor, pointer="/after")], retired_until=floor)


async def _require_room(writer: Writer, agency: str) -> None:
    """Refuse one webhook more than an agency may have; raises ValidationFailed."""
    await locks.wait(writer, Lock.WEBHOOKS, of=agency)
    if await value(writer, "select count(*) from webhook where agency = :agency", agency=agency) >= MOST:
        raise records.refused(
            "/agency", "too_many", f"An agency has {MOST} webhooks at most: delete one first.",
            f"Sebuah instansi paling banyak memiliki {MOST} webhook: hapus satu dahulu.",
        )  # fmt: skip


async def update_webhook(writer: Writer, caller: Caller, id: UUID, version: int, patch: WebhookPatch) -> Row:
    """Change a webhook (merge patch); made active, it goes on where it stopped.

    Raises NotFound, PermissionDenied, StaleVersion, ValidationFailed.
    """
    webhook = await webhook_rows.locked(writer, caller, id)
    check_version(webhook["version"], version)
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    if changed.keys() & {"url", "clearance"}:  # whoever says where it goes, reads it
        client_rows.require_clearance(caller, str(changed.get("clearance", webhook["clearance"])))
    if "url" in changed:
        changed["url"] = webhook_targets.require_target(changed["url"], settings_of(writer))
    resumed = changed.get("status") == WebhookStatus.ACTIVE and webhook["status"] != WebhookStatus.ACTIVE
    afresh = _AFRESH if changed.keys() & {"url", "status"} else {}
    new = (await compare_and_set(writer, "webhook", {"id": id}, version, {**changed, **afresh}))["version"]
    kind = EventKind.WEBHOOK_RESUMED if resumed else EventKind.WEBHOOK_UPDATED
    said = {"changed": sorted(changed)}
    await webhook_rows.record(writer, caller, kind, webhook, versions=(version, new), payload=said)
    return await webhook_rows.shown(writer, id)


async def delete_webhook(writer: Writer, caller: Caller, id: UUID, version: int) -> None:
    """End a webhook, its keys and what is known of its deliveries.

    Raises NotFound, PermissionDenied, StaleVersion.
    """
    webhook = await webhook_rows.locked(writer, caller, id)
    check_version(webhook["version"], version)
    await value(writer, "delete from webhook where id = :id returning id", id=id)
    kind = EventKind.WEBHOOK_DELETED
    await webhook_rows.record(writer, caller, kind, webhook, versions=(version, None), payload={})
