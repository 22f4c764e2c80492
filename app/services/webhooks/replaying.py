"""What became of events: deliveries, dead letters, attempts; and replays."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.models.webhooks import DeliveryState, WebhookState
from app.queries.webhooks import deliveries as queries
from app.queries.webhooks.deliveries import Shown
from app.schemas.webhooks import (
    WebhookAttemptOut,
    WebhookDeliveryOut,
    WebhookReplayIn,
    WebhookReplayOut,
)
from app.services import audit
from app.services.webhooks import addresses
from app.services.webhooks.addresses import WebhookWrongState


class DeliveryNotFound(Refusal):
    """Of another webhook, too, or forgotten after its period."""

    code, status, title = "webhooks.delivery_not_found", 404, "No such delivery"
    zh, en = "推送记录不存在", "There is no such delivery."


async def deliveries(
    tx: Session, caller: UUID, webhook_id: UUID, state: DeliveryState | None, asked: PageParams
) -> Page[WebhookDeliveryOut]:
    """Return the deliveries of a webhook, newest first. Raises WebhookNotFound."""
    webhook = await addresses.read(tx, caller, webhook_id)
    return await by_id(
        asked, lambda last, limit: queries.page(tx, webhook.id, state, last, limit), _to_out
    )


async def attempts(
    tx: Session, caller: UUID, webhook_id: UUID, delivery_id: UUID | None, asked: PageParams
) -> Page[WebhookAttemptOut]:
    """Return the attempts at a webhook, newest first. Raises WebhookNotFound."""
    webhook = await addresses.read(tx, caller, webhook_id)
    return await by_id(
        asked,
        lambda last, limit: queries.attempts(tx, webhook.id, delivery_id, last, limit),
        WebhookAttemptOut.model_validate,
    )


async def replay(
    tx: Session, caller: UUID, webhook_id: UUID, body: WebhookReplayIn
) -> WebhookReplayOut:
    """Send one delivery, or the events of a period, again, each with its ``webhook-id``.

    What waits already is not counted. Raises WebhookNotFound, WebhookWrongState (not active),
    DeliveryNotFound.
    """
    webhook = await addresses.kept(tx, caller, webhook_id)
    if webhook.state != WebhookState.active:
        raise WebhookWrongState(status=webhook.state)
    if body.delivery_id is not None:
        if not await queries.is_of(tx, webhook.id, body.delivery_id):
            raise DeliveryNotFound
        replayed = await queries.replay_one(tx, webhook.id, body.delivery_id)
    else:
        assert body.since is not None, "validated"
        assert body.until is not None, "validated"
        again = queries.replay_failed if body.failed_only else queries.replay_all
        replayed = await again(tx, webhook, body.since, body.until)
    await audit.write(tx, caller, "replayed", webhook, facts={"count": replayed})
    return WebhookReplayOut(replayed=replayed)


def _to_out(shown: Shown) -> WebhookDeliveryOut:
    delivery, event = shown
    return WebhookDeliveryOut(
        **delivery.model_dump(exclude={"webhook_id"}),
        **event.model_dump(include={"type", "occurred_at", "data"}),
    )
