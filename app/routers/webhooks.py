"""Webhooks of a merchant's till: signed events, their delivery, dead letters and replays."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.api.access import KEEPER, MERCHANT_READER, allow
from app.api.deps import Cipher, CurrentPerson, IfMatch, LocalWebhooks, PageQuery, Reader, Tx
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.webhooks import DeliveryState
from app.schemas.webhooks import (
    WebhookAttemptOut,
    WebhookDeliveryOut,
    WebhookIn,
    WebhookMoveIn,
    WebhookOut,
    WebhookReplayIn,
    WebhookReplayOut,
    WebhookSecretOut,
)
from app.services.merchants.access import MerchantNotFound, MerchantWrongState
from app.services.webhooks import addresses, replaying
from app.services.webhooks.addresses import (
    TooManyWebhooks,
    WebhookExists,
    WebhookNotFound,
    WebhookWrongState,
    WithoutAccount,
)
from app.services.webhooks.replaying import DeliveryNotFound

ABOUT = Bilingual(
    "商户收银台的推送（Standard Webhooks）：签名、重试、补发",
    "Webhooks of a merchant's till (Standard Webhooks): signed, retried, replayed",
)
router = Router(tags=["webhooks"], about=ABOUT)
WEBHOOK = "/webhooks/{webhook_id}"


@router.post(
    "/merchants/{merchant_id}/webhooks",
    status_code=201,
    operation_id="createWebhook",
    **allow(
        KEEPER,
        MerchantNotFound,
        MerchantWrongState,
        WithoutAccount,
        TooManyWebhooks,
        WebhookExists,
        body=True,
        once=True,
        seals=True,
    ),
)
@leads_to("editWebhook", {"webhook_id": "id"})
@leads_to("listWebhookDeliveries", {"webhook_id": "id"})
@no_store
async def create_webhook(
    merchant_id: PathId,
    body: WebhookIn,
    tx: Tx,
    cipher: Cipher,
    local: LocalWebhooks,
    caller: CurrentPerson,
) -> WebhookSecretOut:
    """Make a webhook of a merchant; its secret is in this reply and its repeats alone."""
    return await addresses.create(tx, cipher, caller, merchant_id, body, allows_local=local)


@router.get(
    "/merchants/{merchant_id}/webhooks",
    operation_id="listWebhooks",
    **allow(MERCHANT_READER, MerchantNotFound),
)
async def list_webhooks(
    merchant_id: PathId, tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[WebhookOut]:
    """Return the webhooks of a merchant, newest first."""
    return await addresses.browse(tx, caller, merchant_id, page)


@router.put(
    WEBHOOK,
    operation_id="editWebhook",
    **allow(KEEPER, WebhookNotFound, WebhookExists, body=True, if_match=True),
)
async def edit_webhook(
    webhook_id: PathId,
    body: WebhookIn,
    version: IfMatch,
    tx: Tx,
    local: LocalWebhooks,
    caller: CurrentPerson,
) -> WebhookOut:
    """Replace address, description and types of a webhook; its secret stays."""
    return await addresses.edit(tx, caller, webhook_id, version, body, allows_local=local)


@router.post(
    f"{WEBHOOK}/moves",
    operation_id="moveWebhook",
    **allow(KEEPER, WebhookNotFound, WebhookWrongState, body=True, once=True),
)
async def move_webhook(
    webhook_id: PathId, body: WebhookMoveIn, tx: Tx, caller: CurrentPerson
) -> WebhookOut:
    """Disable a webhook, enable it again, or delete it."""
    return await addresses.move(tx, caller, webhook_id, body)


@router.post(
    f"{WEBHOOK}/secrets",
    status_code=201,
    operation_id="rotateWebhookSecret",
    **allow(KEEPER, WebhookNotFound, once=True, seals=True),
)
@no_store
async def rotate_webhook_secret(
    webhook_id: PathId, tx: Tx, cipher: Cipher, caller: CurrentPerson
) -> WebhookSecretOut:
    """Make a new secret; for a day each message is signed by the one before, too."""
    return await addresses.rotate(tx, cipher, caller, webhook_id)


@router.get(
    f"{WEBHOOK}/deliveries",
    operation_id="listWebhookDeliveries",
    **allow(MERCHANT_READER, WebhookNotFound),
)
async def list_webhook_deliveries(
    webhook_id: PathId,
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    state: Annotated[
        DeliveryState | None, Query(description="Only in this state; `failed`: the dead letters.")
    ] = None,
) -> Page[WebhookDeliveryOut]:
    """Return what was sent, waits or was given up, newest first."""
    return await replaying.deliveries(tx, caller, webhook_id, state, page)


@router.get(
    f"{WEBHOOK}/attempts",
    operation_id="listWebhookAttempts",
    **allow(MERCHANT_READER, WebhookNotFound),
)
async def list_webhook_attempts(
    webhook_id: PathId,
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    delivery_id: Annotated[UUID | None, Query(description="Only of this delivery.")] = None,
) -> Page[WebhookAttemptOut]:
    """Return the attempts of the last 90 days, newest first."""
    return await replaying.attempts(tx, caller, webhook_id, delivery_id, page)


@router.post(
    f"{WEBHOOK}/replays",
    operation_id="replayWebhook",
    **allow(KEEPER, WebhookNotFound, WebhookWrongState, DeliveryNotFound, body=True, once=True),
)
async def replay_webhook(
    webhook_id: PathId, body: WebhookReplayIn, tx: Tx, caller: CurrentPerson
) -> WebhookReplayOut:
    """Send one delivery, or the events of a period, again."""
    return await replaying.replay(tx, caller, webhook_id, body)
