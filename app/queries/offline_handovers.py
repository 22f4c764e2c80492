"""SQL of hand-overs that counters recorded without network."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_
from sqlmodel import col, select

from app.core.db import Session
from app.models.cards import Card
from app.models.offline_handovers import OfflineHandOver
from app.models.people import Person
from app.models.redemption_days import DayItem
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward


async def waiting(session: Session, day_id: UUID, limit: int) -> Sequence[Any]:
    """Read the orders of a day that wait, with the card and the name of the person."""
    query: Any = (
        select(Redemption)
        .with_only_columns(
            col(Redemption.id).label("id"),
            col(Redemption.pickup_code).label("pickup_code"),
            col(Redemption.quantity).label("quantity"),
            col(Card.serial).label("serial"),
            col(Person.display_name).label("display_name"),
            col(Reward.name).label("reward"),
            col(DayItem.shelf).label("shelf"),
        )
        .join(
            DayItem,
            and_(
                col(DayItem.day_id) == col(Redemption.day_id),
                col(DayItem.reward_id) == col(Redemption.reward_id),
            ),
        )
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .join(Person, col(Person.id) == col(Redemption.person_id))
        .join(Card, col(Card.person_id) == col(Redemption.person_id))
        .where(col(Redemption.day_id) == day_id)
        .where(col(Redemption.status) == RedemptionStatus.reserved)
        .order_by(col(DayItem.shelf), col(Redemption.id))
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def lock_orders(
    session: Session, day_id: UUID, ids: Collection[UUID]
) -> dict[UUID, Redemption]:
    """Lock orders of a day by id."""
    query = (
        select(Redemption)
        .where(Redemption.day_id == day_id, col(Redemption.id).in_(ids))
        .order_by(col(Redemption.id))
        .with_for_update()
    )
    return {one.id: one for one in await session.exec(query)}


async def known(
    session: Session, device_id: UUID, sequences: Collection[int]
) -> Sequence[OfflineHandOver]:
    """Read what a device recorded with these sequences."""
    query = select(OfflineHandOver).where(
        OfflineHandOver.device_id == device_id, col(OfflineHandOver.sequence).in_(sequences)
    )
    return (await session.exec(query)).all()


async def save(session: Session, rows: Sequence[OfflineHandOver]) -> None:
    session.add_all(rows)
    await session.flush()


async def page(
    session: Session, day_id: UUID, before: UUID | None, limit: int
) -> Sequence[OfflineHandOver]:
    """Read the hand-overs of a day, newest first."""
    query = select(OfflineHandOver).where(OfflineHandOver.day_id == day_id)
    if before is not None:
        query = query.where(col(OfflineHandOver.id) < before)
    return (await session.exec(query.order_by(col(OfflineHandOver.id).desc()).limit(limit))).all()
