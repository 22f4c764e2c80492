"""SQL of lists about redemption days: orders by shelf and by person, stewards, who is expected."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_
from sqlmodel import col, select

from app.core.db import Session
from app.models.people import Person
from app.models.redemption_days import (
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
        .add_columns(DaySlot)
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
        .where(col(Redemption.day_id) == day_id)
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
