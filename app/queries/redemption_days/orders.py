"""SQL of the content of redemption days, and of the stock and places that orders take."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.redemption_days import (
    DayCounter,
    DayItem,
    DaySlot,
    RedemptionDay,
    Substitution,
)
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward


async def share(session: Session, day_id: UUID) -> RedemptionDay | None:
    """Lock a day FOR SHARE: it is not closed before the commit."""
    query = select(RedemptionDay).where(RedemptionDay.id == day_id).with_for_update(read=True)
    return (await session.exec(query)).first()


async def closed_at(session: Session, day_id: UUID) -> datetime | None:
    """Lock a day as ``share`` does; return when it was closed."""
    day = await share(session, day_id)
    return day.closed_at if day else None


async def items(session: Session, day_id: UUID) -> Sequence[tuple[DayItem, Reward]]:
    """Read the items of a day with their rewards, by shelf."""
    query = (
        select(DayItem, Reward)
        .join(Reward, col(Reward.id) == col(DayItem.reward_id))
        .where(DayItem.day_id == day_id)
        .order_by(col(DayItem.shelf), col(DayItem.id))
    )
    return (await session.exec(query)).all()


async def item(session: Session, day_id: UUID, item_id: UUID) -> DayItem | None:
    query = select(DayItem).where(DayItem.id == item_id, DayItem.day_id == day_id)
    return (await session.exec(query)).first()


async def lock_item(session: Session, item_id: UUID) -> DayItem:
    """Lock an item that exists, and read what is left now."""
    query = select(DayItem).where(DayItem.id == item_id).with_for_update()
    found: DayItem = (await session.exec(query)).one()
    return found


async def slots(session: Session, day_id: UUID) -> Sequence[DaySlot]:
    query = select(DaySlot).where(DaySlot.day_id == day_id)
    return (await session.exec(query.order_by(col(DaySlot.starts_at), col(DaySlot.id)))).all()


async def counters(session: Session, day_id: UUID) -> Sequence[DayCounter]:
    query = select(DayCounter).where(DayCounter.day_id == day_id)
    return (await session.exec(query.order_by(col(DayCounter.id)))).all()


async def replace(session: Session, day_id: UUID, *rows: DayItem | DaySlot | DayCounter) -> None:
    """Give a draft other items, slots and counters."""
    for model in (DayItem, DaySlot, DayCounter):
        await session.execute(delete(model).where(col(model.day_id) == day_id))
    session.add_all(rows)
    await session.flush()


async def take(session: Session, item_id: UUID, quantity: int) -> bool:
    """Take pieces from an item; False if too few are left. A negative quantity gives back."""
    done: Any = await session.execute(
        update(DayItem)
        .where(col(DayItem.id) == item_id, enough(quantity))
        .values(remaining=DayItem.remaining - quantity)
    )
    return bool(done.rowcount)


def enough(quantity: int) -> ColumnElement[bool]:
    """Return the condition that as many are left: of requests for the last one takes it."""
    return col(DayItem.remaining) >= quantity


async def take_place(session: Session, slot_id: UUID) -> bool:
    """Take a place in a slot; False if it is full."""
    done: Any = await session.execute(
        update(DaySlot)
        .where(col(DaySlot.id) == slot_id, not_full())
        .values(taken=DaySlot.taken + 1)
    )
    return bool(done.rowcount)


def not_full() -> ColumnElement[bool]:
    """Return the condition of the update: of requests at once for the last place, one takes it."""
    return col(DaySlot.taken) < col(DaySlot.capacity)


def is_live() -> ColumnElement[bool]:
    """Return the condition of orders that have goods: reserved, or collected and not undone."""
    return col(Redemption.status).in_(
        [RedemptionStatus.reserved, RedemptionStatus.collected]
    ) & col(Redemption.undone_at).is_(None)


async def live_orders(
    session: Session, day_id: UUID, people: Sequence[UUID]
) -> Sequence[Redemption]:
    """Read what people have of a day. Exact while the accounts of their points are locked."""
    query = select(Redemption).where(Redemption.day_id == day_id, is_live())
    return (await session.exec(query.where(col(Redemption.person_id).in_(people)))).all()


async def give_back(session: Session, order: Redemption) -> None:
    """Return the goods of an order that has ended, and with the person's last one the place.

    The slot first, as when it is taken, so that an order and an end do not wait for each other.
    """
    if order.slot_id is not None:
        await _leave_slot(session, order)
    back = update(DayItem).where(
        col(DayItem.day_id) == order.day_id, col(DayItem.reward_id) == order.reward_id
    )
    await session.execute(back.values(remaining=DayItem.remaining + order.quantity))


async def _leave_slot(session: Session, order: Redemption) -> None:
    """Return the place of a person without another live order.

    The person's accounts are locked: of two orders that end at once the second sees the first.
    """
    others = (
        select(Redemption.id)
        .where(Redemption.slot_id == order.slot_id, Redemption.person_id == order.person_id)
        .where(is_live())
    )
    free = update(DaySlot).where(col(DaySlot.id) == order.slot_id, ~others.exists())
    await session.execute(free.values(taken=DaySlot.taken - 1))


async def add_order(session: Session, order: Redemption) -> None:
    session.add(order)
    await session.flush()


async def by_code(session: Session, day_id: UUID, code: str) -> Redemption | None:
    """Find an order of a day by its pick-up code."""
    query = select(Redemption).where(Redemption.pickup_code == code, Redemption.day_id == day_id)
    return (await session.exec(query)).first()


async def lock_orders(
    session: Session, day_id: UUID, people: Sequence[UUID], at: datetime
) -> Sequence[tuple[Redemption, DayItem, Reward]]:
    """Lock the orders of people that can be handed over, by id."""
    query = (
        select(Redemption, DayItem, Reward)
        .join(
            DayItem,
            and_(
                col(DayItem.day_id) == col(Redemption.day_id),
                col(DayItem.reward_id) == col(Redemption.reward_id),
            ),
        )
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .where(Redemption.day_id == day_id, col(Redemption.person_id).in_(people))
        .where(Redemption.status == RedemptionStatus.reserved, col(Redemption.expires_at) > at)
        .order_by(col(Redemption.id))
        .with_for_update(of=Redemption)
    )
    return (await session.exec(query)).all()


async def substitution_of(session: Session, redemption_id: UUID) -> Substitution | None:
    """Read the proposed or accepted substitution of an order that is locked."""
    query = select(Substitution).where(Substitution.redemption_id == redemption_id)
    return (await session.exec(query.where(Substitution.state != "declined"))).first()
