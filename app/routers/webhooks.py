"""Webhooks over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound, PreconditionRequired, StaleVersion, TransitionNotAllowed
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.rules.webhooks import DeliveryStatus
from app.schemas.types import AgencyCode
from app.schemas.webhooks import (
    Delivery,
    DeliveryPage,
    NewWebhook,
    NewWebhookKey,
    Webhook,
    WebhookInput,
    WebhookKeys,
    WebhookPage,
    WebhookPatch,
    WebhookRotationInput,
)
from app.services import deliveries, webhook_keys, webhook_rows, webhooks

router = guarded(prefix="/v1/webhooks", tags=["webhooks"])

_CONDITIONAL = (NotFound, PreconditionRequired, StaleVersion)


@router.get(
    "",
    operation_id="listWebhooks",
    summary="List webhooks",
    response_model=WebhookPage,
    dependencies=[needs(P.WEBHOOK_READ, CursorMismatch)],
)
async def list_webhooks(
    request: Request, reader: Reader, caller: Caller, keys: Keys, page: Page, agency: AgencyCode | None = None
) -> Response:
    """The webhooks of your agency, or all of them for an operator."""
    found = await webhook_rows.list_webhooks(reader, caller, keys, limit=page.limit, cursor=page.cursor, agency=agency)
    return answers.page(request, found)


@router.post(
    "",
    operation_id="createWebhook",
    summary="Create a webhook",
    status_code=201,
    response_model=NewWebhook,
    dependencies=[needs(P.WEBHOOK_KEEP)],
)
async def create_webhook(request: Request, writer: Writer, caller: Caller, keys: Keys, input: WebhookInput) -> Response:
    """It hears what a viewer of its agency with its clearance may read, and what its administrator may.

    Each event is a POST of the CloudEvents envelope that `/v1/events` shows, in the order of the log and at least once,
    signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`), with the newest signed
    head of the log in `Log-Head`. Of matters above `terbuka` it carries ids only. Anything but a 2xx within ten seconds
    is tried again, with growing pauses, for 72 hours unless the service is set otherwise; then, or at once on 410, the
    webhook is parked (`webhook.parked`).

    Its address is https, at a host and port that the service allows; redirects are not followed. An agency has 20
    webhooks at most.
    """
    made = await webhooks.create_webhook(writer, caller, keys, input)
    return answers.written(request, made, status=201, location=f"/v1/webhooks/{made['id']}")


@router.get(
    "/{id}",
    operation_id="showWebhook",
    summary="Show a webhook",
    response_model=Webhook,
    dependencies=[needs(P.WEBHOOK_READ, NotFound)],
)
async def show_webhook(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """Where it stands in the log, and how its next delivery fares."""
    return answers.read(request, await webhook_rows.held(reader, caller, id, P.WEBHOOK_READ))


@router.patch(
    "/{id}",
    operation_id="updateWebhook",
    summary="Change a webhook",
    response_model=Webhook,
    dependencies=[needs(P.WEBHOOK_KEEP, *_CONDITIONAL)],
)
async def update_webhook(
    request: Request, writer: Writer, caller: Caller, id: UUID, version: IfMatch, patch: WebhookPatch
) -> Response:
    """A merge patch: url, types, description, clearance, status. Made `active`, it goes on where it stopped."""
    return answers.written(request, await webhooks.update_webhook(writer, caller, id, version, patch))


@router.delete(
    "/{id}",
    operation_id="deleteWebhook",
    summary="Delete a webhook",
    status_code=204,
    response_class=Response,
    dependencies=[needs(P.WEBHOOK_KEEP, *_CONDITIONAL)],
)
async def delete_webhook(writer: Writer, caller: Caller, id: UUID, version: IfMatch) -> Response:
    """Deletes it with its keys and the record of its deliveries; what it has not delivered is not sent."""
    await webhooks.delete_webhook(writer, caller, id, version)
    return Response(status_code=204)


@router.get(
    "/{id}/secret",
    operation_id="listWebhookKeys",
    summary="Show the keys of a webhook",
    response_model=WebhookKeys,
    dependencies=[needs(P.WEBHOOK_READ, NotFound)],
)
async def list_webhook_keys(request: Request, reader: Reader, caller: Caller, id: UUID) -> Response:
    """The keys that sign its deliveries now, by their public halves, newest first."""
    return answers.read(request, {"items": await webhook_keys.list_keys(reader, caller, id)})


@router.post(
    "/{id}/secret",
    operation_id="rotateWebhookKey",
    summary="Rotate the key of a webhook",
    status_code=201,
    response_model=NewWebhookKey,
    dependencies=[needs(P.WEBHOOK_KEEP, NotFound)],
)
async def rotate_webhook_key(
    request: Request, writer: Writer, caller: Caller, keys: Keys, id: UUID, input: WebhookRotationInput
) -> Response:
    """The new key signs at once; the one before it signs as well for `overlap_hours`, so that either verifies.

    Two sign at most: a third ends the oldest at once. A shared secret is shown this once; of an Ed25519 key only the
    public half is ever shown.
    """
    made = await webhook_keys.rotate(writer, caller, keys, id, input)
    return answers.written(request, made, status=201, location=f"/v1/webhooks/{id}/secret")


@router.post(
    "/{id}/ping",
    operation_id="pingWebhook",
    summary="Ping a webhook",
    status_code=201,
    response_model=Delivery,
    dependencies=[needs(P.WEBHOOK_KEEP, NotFound)],
)
async def ping_webhook(request: Request, writer: Writer, caller: Caller, id: UUID) -> Response:
    """Asks for a signed delivery that is no event (`ping`), also of a webhook that is paused or parked; tried once.

    How it went stands among the deliveries. Of one webhook 50 may be asked for and not yet tried; then 429.
    """
    asked = await deliveries.ping(writer, caller, id)
    return answers.written(request, asked, status=201, location=f"/v1/webhooks/{id}/deliveries")


@router.get(
    "/{id}/deliveries",
    operation_id="listDeliveries",
    summary="List the deliveries of a webhook",
    response_model=DeliveryPage,
    dependencies=[needs(P.WEBHOOK_READ, NotFound, CursorMismatch)],
)
async def list_deliveries(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    id: UUID,
    status: DeliveryStatus | None = None,
) -> Response:
    """Each event and each ping once: how often it was tried, and how the last attempt went. Kept for 30 days."""
    found = await deliveries.list_deliveries(
        reader, caller, keys, id, limit=page.limit, cursor=page.cursor, status=status
    )
    return answers.page(request, found)


@router.post(
    "/{id}/deliveries/{delivery}/redelivery",
    operation_id="redeliver",
    summary="Deliver once more",
    response_model=Delivery,
    dependencies=[needs(P.WEBHOOK_KEEP, NotFound, TransitionNotAllowed)],
)
async def redeliver(request: Request, writer: Writer, caller: Caller, id: UUID, delivery: UUID) -> Response:
    """Asks for a delivery that is over once more, with the same `webhook-id`, out of order; tried once.

    Of one webhook 50 may be asked for and not yet tried; then 429.
    """
    return answers.written(request, await deliveries.ask_again(writer, caller, id, delivery))
