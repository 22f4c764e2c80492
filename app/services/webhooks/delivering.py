"""Delivering events: a lease of the webhook, an attempt outside of any transaction, its record.

At least once: a worker that is killed after the attempt leaves a lease that ends, and another one
sends the same message again, with the same ``webhook-id``. While a lease lasts, nobody else sends
to that webhook, and it lasts longer than an attempt.
"""

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog

from app.core import backoff, webhook_signatures
from app.core.clock import now
from app.core.db import Database, Session
from app.core.keys import FieldCipher
from app.integrations.webhooks import AddressRefused, Unreachable
from app.models.webhooks import AttemptOutcome as Outcome
from app.models.webhooks import (
    DeliveryState,
    Webhook,
    WebhookAttempt,
    WebhookDisabledBy,
    WebhookEvent,
    WebhookState,
)
from app.queries import merchants as merchant_queries
from app.queries.webhooks import deliveries as queries
from app.services import audit, notify

log = structlog.get_logger(__name__)
LEASE_S = 60.0
# After the first attempt, as the specification proposes: the last one is about three days later.
_HOURS = (0.5, 2, 5, 10, 14, 20, 24)
RETRIES_S = (5, 300, *(hours * 3600 for hours in _HOURS))
JITTER = 0.2
# A webhook where nothing arrived for so long is disabled.
FAILS_FOR = timedelta(days=3)
# One that takes longer is sent to by a job of its own.
SLOW_MS = 1000
# After attempts without a reply the webhook rests: what waits for it would not fare better.
REST_FIRST_S, REST_MOST_S = 5.0, 600.0
HANGS = {Outcome.timeout, Outcome.unreachable}

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Message:
    """An attempt to make: what is sent where, and the lease under which that is done."""

    webhook_id: UUID
    lease: int
    delivery_id: UUID
    event_id: UUID
    url: str
    body: bytes
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    outcome: Outcome
    status: int | None
    made_at: datetime
    took_ms: int


async def lease(tx: Session, cipher: FieldCipher, limit: int, *, is_slow: bool) -> list[Message]:
    """Lease up to ``limit`` webhooks; return the next message of each.

    Nothing is sent where the secret was sealed under a key that is gone: a new one helps.
    """
    due = await queries.lease(tx, LEASE_S, limit, is_slow=is_slow)
    messages = []
    for webhook, delivery, event in due:
        secrets = _secrets(cipher, webhook)
        if secrets is None:
            log.error("webhooks.secret_unreadable", alert=True, webhook=str(webhook.id))
            continue
        place = (webhook.id, webhook.lease, delivery.id, event.id, webhook.url)
        messages.append(Message(*place, body_of(event), secrets))
    return messages


def body_of(event: WebhookEvent) -> bytes:
    """Return what is sent of an event: the same bytes at each attempt."""
    at = event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = {"type": event.type, "timestamp": at, "data": event.data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


async def deliver(database: Database, message: Message, post: Post) -> Outcome:
    """Make an attempt and write what came of it."""
    answer = await _attempt(message, post)
    async with database.transaction() as tx:
        await _record(tx, message, answer)
    return answer.outcome


async def _attempt(message: Message, post: Post) -> Answer:
    made_at, begun = now(), monotonic()
    status: int | None = None
    headers = webhook_signatures.headers(
        message.secrets, str(message.event_id), int(made_at.timestamp()), message.body
    )
    try:
        status = await post(message.url, message.body, headers)
        outcome = _outcome_of(status)
    except AddressRefused:
        outcome = Outcome.address_refused
    except Unreachable:
        outcome = Outcome.unreachable
    except TimeoutError:
        outcome = Outcome.timeout
    return Answer(outcome, status, made_at, round((monotonic() - begun) * 1000))


def _outcome_of(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.delivered
    if status == 410:
        return Outcome.gone
    return Outcome.redirected if 300 <= status < 400 else Outcome.refused


async def _record(tx: Session, message: Message, answer: Answer) -> None:
    """Write an attempt, what becomes of the delivery, and of the webhook; end the lease.

    Nothing if the lease has passed to somebody else, or the webhook was deleted meanwhile.
    """
    webhook = await queries.lock_leased(tx, message.webhook_id, message.lease)
    delivery = await queries.lock(tx, message.delivery_id) if webhook is not None else None
    if webhook is None or delivery is None:
        return
    webhook.leased_until = None
    delivery.attempts += 1
    attempt = WebhookAttempt(
        webhook_id=webhook.id,
        delivery_id=delivery.id,
        number=delivery.attempts,
        made_at=answer.made_at,
        took_ms=answer.took_ms,
        outcome=answer.outcome,
        status=answer.status,
    )
    webhook.is_slow = answer.took_ms > SLOW_MS
    delivered = answer.outcome == Outcome.delivered
    retries = None if delivered else _retry_after(delivery.attempts)
    if delivery.state == DeliveryState.waiting and (delivered or retries is None):
        delivery.state = DeliveryState.delivered if delivered else DeliveryState.failed
        delivery.ended_at = answer.made_at
    _note(webhook, answer)
    await queries.save(tx, webhook, delivery, attempt)
    if delivery.state == DeliveryState.waiting and retries is not None:
        await queries.retry_in(tx, delivery.id, retries)
    if webhook.hangs:
        await queries.rest(tx, webhook.id, backoff.delay(webhook.hangs, REST_FIRST_S, REST_MOST_S))
    await _disable_if_dead(tx, webhook, answer)


def _retry_after(attempts: int) -> float | None:
    """Return the seconds until the next attempt, up to a fifth more or less; None: no more."""
    if attempts > len(RETRIES_S):
        return None
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not a secret
    return RETRIES_S[attempts - 1] * spread


def _note(webhook: Webhook, answer: Answer) -> None:
    """Note since when nothing arrives, and how often in a row there was no reply."""
    if answer.outcome == Outcome.delivered:
        webhook.failing_since = None
    elif webhook.failing_since is None:
        webhook.failing_since = answer.made_at
    webhook.hangs = webhook.hangs + 1 if answer.outcome in HANGS else 0
    webhook.rests_until = None


async def _disable_if_dead(tx: Session, webhook: Webhook, answer: Answer) -> None:
    """Disable a webhook whose receiver is gone or fails for days; tell the staff and its maker."""
    if webhook.state != WebhookState.active:
        return
    is_gone = answer.outcome == Outcome.gone
    since = webhook.failing_since
    if not is_gone and (since is None or answer.made_at - since < FAILS_FOR):
        return
    webhook.state = WebhookState.disabled
    webhook.disabled_by = WebhookDisabledBy.gone if is_gone else WebhookDisabledBy.failing
    webhook.version += 1
    await queries.save(tx, webhook)
    await queries.give_up(tx, webhook.id, answer.made_at)
    await audit.write(
        tx,
        None,
        "moved",
        webhook,
        before=WebhookState.active,
        after=webhook.state,
        reason=webhook.disabled_by,
    )
    merchant = await merchant_queries.find(tx, webhook.merchant_id)
    assert merchant is not None, "a foreign key"
    staff = {person for person, _, _ in await merchant_queries.staff(tx, webhook.merchant_id)}
    told = staff | {webhook.created_by}
    facts = {"merchant": merchant.name, "gone": is_gone}
    await notify.send(tx, told, "webhook_disabled", ("webhook", webhook.id), **facts)


def _secrets(cipher: FieldCipher, webhook: Webhook) -> tuple[str, ...] | None:
    """Return the secrets that sign now, the newest first; None if they cannot be decrypted."""
    sealed, until = [webhook.secret_sealed], webhook.previous_until
    if webhook.previous_sealed is not None and until is not None and now() < until:
        sealed.append(webhook.previous_sealed)
    try:
        return tuple(cipher.open(one) for one in sealed)
    except KeyError:  # of a key before the previous one
        return None
