"""SQL of the content of redemption days, and of the stock and places that orders take."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.people import Person
from app.models.redemption_days import (
    DayCounter,
    DayItem,
    DaySlot,
    DayState,
    DaySteward,
    RedemptionDay,
    Substitution,
    SubstitutionState,
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
    found: DayItem = (await session.exec(query.execution_options(populate_existing=True))).one()
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
    """Return the goods of an order that has ended, and with the person's last one the place."""
    back = update(DayItem).where(
        col(DayItem.day_id) == order.day_id, col(DayItem.reward_id) == order.reward_id
    )
    await session.execute(back.values(remaining=DayItem.remaining + order.quantity))
    if order.slot_id is None:
        return
    # The person's accounts are locked: of two orders that end at once the second sees the first.
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
        .execution_options(populate_existing=True)
    )
    return (await session.exec(query)).all()


async def own_orders(
    session: Session, day_id: UUID, people: Sequence[UUID]
) -> Sequence[tuple[Redemption, Reward]]:
    """Read all orders of people, newest first."""
    query = (
        select(Redemption, Reward)
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .where(Redemption.day_id == day_id, col(Redemption.person_id).in_(people))
        .order_by(col(Redemption.id).desc())
    )
    return (await session.exec(query)).all()


async def is_steward(session: Session, day_id: UUID, people: Sequence[UUID]) -> bool:
    query = select(DaySteward.id).where(DaySteward.day_id == day_id)
    found = await session.exec(query.where(col(DaySteward.person_id).in_(people)))
    return found.first() is not None


async def stewards(session: Session, day_id: UUID) -> Sequence[tuple[DaySteward, str]]:
    """Read the stewards of a day with their names."""
    query = (
        select(DaySteward, Person.display_name)
        .join(Person, col(Person.id) == col(DaySteward.person_id))
        .where(DaySteward.day_id == day_id)
        .order_by(col(DaySteward.id))
    )
    return (await session.exec(query)).all()


async def steward(session: Session, day_id: UUID, steward_id: UUID) -> DaySteward | None:
    query = select(DaySteward).where(DaySteward.id == steward_id, DaySteward.day_id == day_id)
    return (await session.exec(query)).first()


async def remove(session: Session, steward: DaySteward) -> None:
    await session.delete(steward)
    await session.flush()


async def pick_list(
    session: Session,
    day_id: UUID,
    status: RedemptionStatus | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[tuple[Redemption, DayItem, Reward, str, DaySlot | None]]:
    """Read the orders of a day by shelf and item, with the names of people and their slots."""
    key = (col(DayItem.shelf), col(DayItem.id), col(Redemption.id))
    query: Any = (
        select(Redemption, DayItem, Reward, Person.display_name)
        .add_columns(DaySlot)  # type: ignore[arg-type]
        .join(
            DayItem,
            and_(
                col(DayItem.day_id) == col(Redemption.day_id),
                col(DayItem.reward_id) == col(Redemption.reward_id),
            ),
        )
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .join(Person, col(Person.id) == col(Redemption.person_id))
        .outerjoin(DaySlot, col(DaySlot.id) == col(Redemption.slot_id))
        .where(Redemption.day_id == day_id)
        .order_by(*key)
        .limit(limit)
    )
    if status is not None:
        query = query.where(Redemption.status == status)
    if after is not None:
        shelf, item_id, order = after
        query = query.where(
            or_(
                key[0] > shelf,
                (key[0] == shelf) & (key[1] > item_id),
                (key[0] == shelf) & (key[1] == item_id) & (key[2] > order),
            )
        )
    return list(await session.exec(query))


async def open_substitutions(
    session: Session, day_id: UUID, people: Sequence[UUID]
) -> Sequence[tuple[Substitution, Reward]]:
    """Read the substitutes that wait for the answer of people."""
    query = (
        select(Substitution, Reward)
        .join(DayItem, col(DayItem.id) == col(Substitution.item_id))
        .join(Reward, col(Reward.id) == col(DayItem.reward_id))
        .where(Substitution.day_id == day_id, Substitution.state == SubstitutionState.proposed)
        .where(col(Substitution.person_id).in_(people))
        .order_by(col(Substitution.id))
    )
    return (await session.exec(query)).all()


async def substitution_of(session: Session, redemption_id: UUID) -> Substitution | None:
    """Read the proposed or accepted substitution of an order that is locked."""
    query = select(Substitution).where(Substitution.redemption_id == redemption_id)
    return (await session.exec(query.where(Substitution.state != "declined"))).first()


async def starting(session: Session, since: datetime, until: datetime) -> RedemptionDay | None:
    """Lock a day that begins in a span and of which nobody was reminded."""
    query = (
        select(RedemptionDay)
        .where(RedemptionDay.state == DayState.published, col(RedemptionDay.reminded_at).is_(None))
        .where(col(RedemptionDay.starts_at) >= since, col(RedemptionDay.starts_at) < until)
        .order_by(col(RedemptionDay.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).first()


async def expected(session: Session, day_id: UUID) -> Sequence[tuple[UUID, datetime | None]]:
    """Read the people with reserved orders of a day, and when their slot begins."""
    query = (
        select(Redemption.person_id, func.min(DaySlot.starts_at))
        .outerjoin(DaySlot, col(DaySlot.id) == col(Redemption.slot_id))
        .where(Redemption.day_id == day_id, Redemption.status == RedemptionStatus.reserved)
        .group_by(col(Redemption.person_id))
        .order_by(col(Redemption.person_id))
    )
    return (await session.exec(query)).all()
