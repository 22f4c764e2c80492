"""SQL of deliveries: leases of webhooks, what is due, attempts, dead letters and replays."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Update, Uuid, func, literal, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.webhooks import (
    DeliveryState,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
    WebhookState,
)

Due = tuple[Webhook, WebhookDelivery, WebhookEvent]


class Shown(NamedTuple):
    delivery: WebhookDelivery
    event: WebhookEvent

    @property
    def id(self) -> UUID:
        return self.delivery.id


async def lease(session: Session, seconds: float, limit: int, *, is_slow: bool) -> list[Due]:
    """Lease webhooks with something due; return each with its next delivery and its event.

    One that another worker sends to has a lease that has not ended.
    """
    due = select(WebhookDelivery.id).where(
        WebhookDelivery.webhook_id == Webhook.id,
        WebhookDelivery.state == DeliveryState.waiting,
        WebhookDelivery.due_at <= func.now(),
    )
    query = (
        select(Webhook)
        .where(Webhook.state == WebhookState.active, Webhook.is_slow == is_slow)
        .where(_is_over(Webhook.leased_until), _is_over(Webhook.rests_until), due.exists())
        .order_by(col(Webhook.leased_until).nulls_first(), col(Webhook.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = []
    for webhook in (await session.exec(query)).all():
        until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        leased = update(Webhook).where(col(Webhook.id) == webhook.id)
        await session.execute(leased.values(lease=webhook.lease + 1, leased_until=until))
        next_one = await _next(session, webhook.id)
        if next_one is not None:
            found.append((webhook, *next_one))
    return found


def _is_over(moment: datetime | None) -> ColumnElement[bool]:
    return or_(col(moment).is_(None), col(moment) <= func.now())


async def _next(session: Session, webhook: UUID) -> tuple[WebhookDelivery, WebhookEvent] | None:
    query = (
        select(WebhookDelivery, WebhookEvent)
        .join(WebhookEvent, col(WebhookEvent.id) == col(WebhookDelivery.event_id))
        .where(WebhookDelivery.webhook_id == webhook)
        .where(WebhookDelivery.state == DeliveryState.waiting, WebhookDelivery.due_at <= func.now())
        .order_by(col(WebhookDelivery.due_at), col(WebhookDelivery.id))
        .limit(1)
    )
    return (await session.exec(query)).first()


async def lock_leased(session: Session, webhook: UUID, lease: int) -> Webhook | None:
    """Lock a webhook if this lease is its last one."""
    query = select(Webhook).where(Webhook.id == webhook, Webhook.lease == lease)
    return (await session.exec(query.with_for_update())).first()


async def lock(session: Session, delivery: UUID) -> WebhookDelivery | None:
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery)
    return (await session.exec(query.with_for_update())).first()


async def save(session: Session, *rows: Webhook | WebhookDelivery | WebhookAttempt) -> None:
    session.add_all(rows)
    await session.flush()


async def retry_in(session: Session, delivery: UUID, seconds: float) -> None:
    """Let a delivery be due again, by the database's clock."""
    due_at = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    again = update(WebhookDelivery).where(col(WebhookDelivery.id) == delivery)
    await session.execute(again.values(due_at=due_at))


async def rest(session: Session, webhook: UUID, seconds: float) -> None:
    """Leave a webhook alone for some seconds."""
    until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    resting = update(Webhook).where(col(Webhook.id) == webhook)
    await session.execute(resting.values(rests_until=until))


async def give_up(session: Session, webhook: UUID, at: datetime) -> None:
    """Make dead letters of all that waits for a webhook."""
    waiting = update(WebhookDelivery).where(
        col(WebhookDelivery.webhook_id) == webhook,
        col(WebhookDelivery.state) == DeliveryState.waiting,
    )
    await session.execute(waiting.values(state=DeliveryState.failed, ended_at=at))


async def page(
    session: Session,
    webhook: UUID,
    state: DeliveryState | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Shown]:
    """Read deliveries with their events, newest first."""
    query = select(WebhookDelivery, WebhookEvent).join(
        WebhookEvent, col(WebhookEvent.id) == col(WebhookDelivery.event_id)
    )
    query = query.where(WebhookDelivery.webhook_id == webhook)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if before is not None:
        query = query.where(col(WebhookDelivery.id) < before)
    rows = await session.exec(query.order_by(col(WebhookDelivery.id).desc()).limit(limit))
    return [Shown(*row) for row in rows]


async def attempts(
    session: Session, webhook: UUID, delivery: UUID | None, before: UUID | None, limit: int
) -> Sequence[WebhookAttempt]:
    """Read attempts, newest first."""
    query = select(WebhookAttempt).where(WebhookAttempt.webhook_id == webhook)
    if delivery is not None:
        query = query.where(WebhookAttempt.delivery_id == delivery)
    if before is not None:
        query = query.where(col(WebhookAttempt.id) < before)
    return (await session.exec(query.order_by(col(WebhookAttempt.id).desc()).limit(limit))).all()


async def replay_one(session: Session, webhook: UUID, delivery: UUID) -> int:
    """Let a delivery that ended be due again; return how many, 0 or 1."""
    again = update(WebhookDelivery).where(
        col(WebhookDelivery.webhook_id) == webhook, col(WebhookDelivery.id) == delivery
    )
    return await _replay(session, again)


async def is_of(session: Session, webhook: UUID, delivery: UUID) -> bool:
    query = select(WebhookDelivery.id).where(
        WebhookDelivery.webhook_id == webhook, WebhookDelivery.id == delivery
    )
    return (await session.exec(query)).first() is not None


async def replay_failed(
    session: Session, webhook: Webhook, since: datetime, until: datetime
) -> int:
    """Let the dead letters among the events of a period be due again; return how many."""
    events = select(WebhookEvent.id).where(
        WebhookEvent.merchant_id == webhook.merchant_id,
        WebhookEvent.occurred_at >= since,
        WebhookEvent.occurred_at < until,
    )
    again = update(WebhookDelivery).where(
        col(WebhookDelivery.webhook_id) == webhook.id,
        col(WebhookDelivery.state) == DeliveryState.failed,
        col(WebhookDelivery.event_id).in_(events),
    )
    return await _replay(session, again)


async def _replay(session: Session, again: Update) -> int:
    ended = again.where(col(WebhookDelivery.state) != DeliveryState.waiting)
    values = {"state": DeliveryState.waiting, "attempts": 0, "due_at": func.now(), "ended_at": None}
    made = await session.execute(ended.values(**values).returning(col(WebhookDelivery.id)))
    return len(made.all())


async def replay_all(session: Session, webhook: Webhook, since: datetime, until: datetime) -> int:
    """Let all events of a period that a webhook hears be due (again); return how many.

    Also those of while it was disabled, or of before it was there.
    """
    heard = (
        select(literal(webhook.id, Uuid()), WebhookEvent.id)
        .where(WebhookEvent.merchant_id == webhook.merchant_id)
        .where(WebhookEvent.occurred_at >= since, WebhookEvent.occurred_at < until)
        .order_by(col(WebhookEvent.id))
    )
    if webhook.types:
        heard = heard.where(col(WebhookEvent.type).in_(webhook.types))
    new = insert(WebhookDelivery).from_select(["webhook_id", "event_id"], heard)
    made = await session.execute(
        new.on_conflict_do_update(
            index_elements=["webhook_id", "event_id"],
            set_={
                "state": DeliveryState.waiting,
                "attempts": 0,
                "due_at": func.now(),
                "ended_at": None,
            },
            where=col(WebhookDelivery.state) != DeliveryState.waiting,
        ).returning(col(WebhookDelivery.id))
    )
    return len(made.all())
