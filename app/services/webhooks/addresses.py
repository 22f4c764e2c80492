"""Addresses of webhooks: made, edited, disabled and deleted by the keepers of a merchant."""

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from app.core import webhook_signatures
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.keys import FieldCipher
from app.core.paging import Page, PageParams
from app.core.public_addresses import is_public, parsed
from app.core.validation_messages import invalid
from app.models.merchants import MerchantKind, MerchantState
from app.models.webhooks import Webhook, WebhookDisabledBy, WebhookState
from app.queries import records as record_queries
from app.queries.webhooks import addresses as queries
from app.queries.webhooks import deliveries as delivery_queries
from app.schemas.webhooks import WebhookIn, WebhookMoveIn, WebhookOut, WebhookSecretOut
from app.services import audit, records
from app.services.merchants import access as merchants
from app.services.merchants.access import MerchantNotFound, MerchantWrongState
from app.services.webhooks import events

MOST = 5  # of a merchant
# After a rotation the secret before signs too, for so long.
BOTH_SIGN_FOR = timedelta(hours=24)
State = WebhookState
MOVES = {
    State.active: {State.disabled, State.deleted},
    State.disabled: {State.active, State.deleted},
}
IN_BUSINESS = (MerchantState.active, MerchantState.suspended)
LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal")


class WebhookNotFound(Refusal):
    code, status, title = "webhooks.not_found", 404, "No such webhook"
    zh, en = "推送地址不存在", "There is no such webhook."


class WebhookWrongState(records.WrongState):
    code = "webhooks.wrong_state"


class TooManyWebhooks(Refusal):
    code, status, title = "webhooks.too_many", 409, "Too many webhooks"
    zh, en = "推送地址数量已达上限", "The merchant has as many webhooks as it may."
    fact_names = ("limit", "used")


class WebhookExists(Refusal):
    code, status, title = "webhooks.exists", 409, "The address is there already"
    zh, en = "该商户已有这个推送地址", "The merchant has a webhook with this address."


class WithoutAccount(Refusal):
    """Points collected at a counter of a 公益银行 move no account of the counter."""

    code, status, title = "webhooks.without_account", 409, "No account of its own"
    zh, en = "公益银行柜台没有商户账户，不能设置推送", "A fund counter has no account of its own."


async def create(
    tx: Session,
    cipher: FieldCipher,
    caller: UUID,
    merchant_id: UUID,
    body: WebhookIn,
    *,
    allows_local: bool,
) -> WebhookSecretOut:
    """Make a webhook and its secret. The events of the merchant begin with its first one.

    Raises MerchantNotFound, MerchantWrongState, WithoutAccount, TooManyWebhooks, WebhookExists,
    Invalid.
    """
    merchant = await merchants.kept(tx, caller, merchant_id)
    if merchant.state not in IN_BUSINESS:
        raise MerchantWrongState(status=merchant.state)
    if merchant.kind == MerchantKind.fund_counter:
        raise WithoutAccount
    require_address(body.url, allows_local=allows_local)
    used = await queries.count(tx, merchant.id)
    if used >= MOST:
        raise TooManyWebhooks(limit=MOST, used=used)
    await _require_new(tx, merchant.id, body.url)
    secret = webhook_signatures.new_secret()
    webhook = Webhook(
        org_id=merchant.org_id,
        created_by=caller,
        merchant_id=merchant.id,
        secret_sealed=cipher.seal(secret),
        **body.model_dump(mode="json"),
    )
    await records.create(tx, caller, webhook, **audit.about("merchant", merchant.id))
    if not used:
        await events.begin(tx, merchant.id)
    return _with_secret(webhook, secret)


async def browse(
    tx: Session, caller: UUID, merchant_id: UUID, asked: PageParams
) -> Page[WebhookOut]:
    """Return the webhooks of a merchant, newest first. Raises MerchantNotFound."""
    merchant = await merchants.get(tx, merchant_id)
    if not await merchants.keeps(tx, caller, merchant):
        await merchants.read_above(tx, caller, merchant_id)
    query = queries.of_merchant(merchant.id)
    return await records.page(tx, query, Webhook, WebhookOut, asked)


async def edit(
    tx: Session,
    caller: UUID,
    webhook_id: UUID,
    version: int,
    body: WebhookIn,
    *,
    allows_local: bool,
) -> WebhookOut:
    """Replace address, description and types; the secret stays.

    Raises WebhookNotFound, PreconditionFailed, WebhookExists, Invalid.
    """
    webhook = await kept(tx, caller, webhook_id)
    records.require_version(webhook.version, version)
    require_address(body.url, allows_local=allows_local)
    await _require_new(tx, webhook.merchant_id, body.url, webhook.id)
    for name, value in body.model_dump(mode="json").items():
        if getattr(webhook, name) != value:
            setattr(webhook, name, value)
    if changed := record_queries.changed(webhook):
        webhook.version += 1
        webhook.failing_since = webhook.rests_until = None
        webhook.hangs = 0
        await record_queries.save(tx, webhook)
        await audit.write(tx, caller, "changed", webhook, fields=changed)
    return WebhookOut.model_validate(webhook)


async def move(tx: Session, caller: UUID, webhook_id: UUID, body: WebhookMoveIn) -> WebhookOut:
    """Disable a webhook, enable it again, or delete it with its secrets.

    What waits for it becomes dead letters. Raises WebhookNotFound, WebhookWrongState.
    """
    webhook = await kept(tx, caller, webhook_id)
    if body.state in MOVES[State(webhook.state)]:
        webhook.version += 1
        is_off = body.state == State.disabled
        webhook.disabled_by = WebhookDisabledBy.keeper if is_off else None
        webhook.failing_since = webhook.rests_until = None
        webhook.hangs = 0
        if body.state == State.deleted:
            webhook.secret_sealed = b""
            webhook.previous_sealed = webhook.previous_until = None
    await records.move(
        tx, caller, webhook, body.state, MOVES, WebhookWrongState, reason=body.reason
    )
    if body.state != State.active:
        await delivery_queries.give_up(tx, webhook.id, now())
    return WebhookOut.model_validate(webhook)


async def rotate(
    tx: Session, cipher: FieldCipher, caller: UUID, webhook_id: UUID
) -> WebhookSecretOut:
    """Make a new secret; the one before signs too for ``BOTH_SIGN_FOR``. Raises WebhookNotFound."""
    webhook = await kept(tx, caller, webhook_id)
    secret = webhook_signatures.new_secret()
    webhook.previous_sealed = webhook.secret_sealed
    webhook.previous_until = now() + BOTH_SIGN_FOR
    webhook.secret_sealed = cipher.seal(secret)
    webhook.version += 1
    await record_queries.save(tx, webhook)
    await audit.write(tx, caller, "secret_replaced", webhook)
    return _with_secret(webhook, secret)


async def kept(tx: Session, caller: UUID, webhook_id: UUID) -> Webhook:
    """Lock a webhook of a merchant that the caller keeps. Raises WebhookNotFound."""
    found = await queries.find(tx, webhook_id)
    if found is None:
        raise WebhookNotFound
    try:
        await merchants.kept(tx, caller, found.merchant_id)
    except MerchantNotFound:
        raise WebhookNotFound from None
    locked = await queries.lock(tx, webhook_id)
    if locked is None:
        raise WebhookNotFound
    return locked


async def read(tx: Session, caller: UUID, webhook_id: UUID) -> Webhook:
    """Return a webhook of a merchant that the caller keeps, or audits. Raises WebhookNotFound."""
    found = await queries.find(tx, webhook_id)
    if found is None:
        raise WebhookNotFound
    if not await merchants.keeps(tx, caller, await merchants.get(tx, found.merchant_id)):
        try:
            await merchants.read_above(tx, caller, found.merchant_id)
        except MerchantNotFound:
            raise WebhookNotFound from None
    return found


def require_address(url: str, *, allows_local: bool) -> None:
    """Raise Invalid for an address that cannot be one of the Internet.

    A name is resolved when something is sent, and its addresses are checked then.
    """
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    is_plain = bool(host) and "@" not in parts.netloc and not parts.fragment
    if not is_plain or parts.scheme not in ("https", "http"):
        raise invalid("body.url", "网址格式有误", "not a plain address of a web server")
    if allows_local:
        return
    if parts.scheme != "https":
        raise invalid("body.url", "须使用 https", "must begin with https")
    is_local = host.endswith(LOCAL_NAMES) or ("." not in host and ":" not in host)
    if is_local or (parsed(host) is not None and not is_public(host)):
        raise invalid("body.url", "须是公网地址", "must be a public address")


async def _require_new(tx: Session, merchant_id: UUID, url: str, but: UUID | None = None) -> None:
    if await queries.has_url(tx, merchant_id, url, but):
        raise WebhookExists


def _with_secret(webhook: Webhook, secret: str) -> WebhookSecretOut:
    shown = WebhookOut.model_validate(webhook)
    return WebhookSecretOut(**shown.model_dump(), secret=secret)
