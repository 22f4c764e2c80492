"""SQL of the reconciliation of a redemption day: its orders, goods and places, and the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, case, cast, func
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from app.core.db import Session
from app.models.ledger import Kind, Transfer
from app.models.redemption_days import (
    DayItem,
    DayMovement,
    DaySlot,
    Substitution,
    SubstitutionState,
)
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries.redemption_days import orders


def _pieces(*conditions: Any) -> Any:
    """Return the sum of the pieces of the orders with these conditions."""
    return cast(func.coalesce(func.sum(Redemption.quantity).filter(*conditions), 0), Integer)


async def items(session: Session, day_id: UUID) -> Sequence[Any]:
    """Read the pieces of each item, by what became of the orders. Undone collections count not."""
    status, walk_in = col(Redemption.status), col(Redemption.is_walk_in)
    swapped = col(Substitution.id).is_not(None)
    moved = (
        select(
            col(DayMovement.item_id).label("item_id"),
            func.sum(DayMovement.quantity).filter(col(DayMovement.quantity) > 0).label("come"),
            func.sum(DayMovement.quantity).filter(col(DayMovement.quantity) < 0).label("gone"),
        )
        .group_by(col(DayMovement.item_id))
        .subquery()
    )
    query: Any = (
        select(DayItem)
        .with_only_columns(
            col(DayItem.id).label("item_id"),
            col(DayItem.reward_id).label("reward_id"),
            func.min(Reward.name).label("name"),
            func.min(Reward.name_en).label("name_en"),
            col(DayItem.shelf).label("shelf"),
            col(DayItem.points).label("price"),
            col(DayItem.stock).label("stock"),
            col(DayItem.remaining).label("left"),
            col(DayItem.counted).label("counted"),
            func.coalesce(func.min(moved.c.come), 0).label("moved_in"),
            (-func.coalesce(func.min(moved.c.gone), 0)).label("moved_out"),
            _pieces(~walk_in).label("reserved"),
            _pieces(~walk_in, status == RedemptionStatus.collected).label("collected"),
            _pieces(status == RedemptionStatus.cancelled, swapped).label("substituted"),
            _pieces(status == RedemptionStatus.cancelled, ~swapped).label("cancelled"),
            _pieces(status == RedemptionStatus.expired).label("released"),
            _pieces(status == RedemptionStatus.reserved).label("open"),
            _pieces(walk_in, status == RedemptionStatus.collected).label("walk_ins"),
        )
        .join(Reward, col(Reward.id) == col(DayItem.reward_id))
        .outerjoin(moved, moved.c.item_id == col(DayItem.id))
        .outerjoin(
            Redemption,
            and_(
                col(Redemption.day_id) == col(DayItem.day_id),
                col(Redemption.reward_id) == col(DayItem.reward_id),
                col(Redemption.undone_at).is_(None),
            ),
        )
        .outerjoin(
            Substitution,
            and_(
                col(Substitution.redemption_id) == col(Redemption.id),
                col(Substitution.state) == SubstitutionState.accepted,
            ),
        )
        .where(col(DayItem.day_id) == day_id)
        .group_by(col(DayItem.id))
        .order_by(col(DayItem.shelf), col(DayItem.id))
    )
    return (await session.execute(query)).all()


async def points(session: Session, day_id: UUID) -> Any:
    """Sum the points of the orders of a day, and what the ledger has of them.

    ``by_orders``: of collected orders; ``held``, ``collected``, ``returned``: of the transfers.
    """
    hold, end = aliased(Transfer), aliased(Transfer)
    collected = col(Redemption.status) == RedemptionStatus.collected
    query: Any = (
        select(Redemption)
        .with_only_columns(
            _sum(Redemption.points).label("reserved_by_orders"),
            _sum(case((collected, col(Redemption.points)))).label("collected_by_orders"),
            _sum(hold.amount).label("held"),
            _sum(case((col(end.kind) == Kind.collect, col(end.amount)))).label("collected"),
            _sum(case((col(end.kind) == Kind.unhold, col(end.amount)))).label("returned"),
        )
        .outerjoin(hold, and_(col(hold.id) == col(Redemption.id), col(hold.kind) == Kind.hold))
        .outerjoin(end, col(end.closes_id) == col(Redemption.id))
        .where(col(Redemption.day_id) == day_id, col(Redemption.undone_at).is_(None))
    )
    return (await session.execute(query)).one()


async def is_any_overdue(session: Session, day_id: UUID, at: datetime) -> bool:
    """Tell whether orders of a day have ended whose goods and places were not returned yet."""
    query = (
        select(Redemption.id)
        .where(Redemption.day_id == day_id, Redemption.status == RedemptionStatus.reserved)
        .where(col(Redemption.expires_at) <= at)
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


def _sum(column: Any) -> Any:
    return cast(func.coalesce(func.sum(column), 0), Integer)


async def places(session: Session, day_id: UUID) -> tuple[int, int]:
    """Return the places that the slots of a day have as taken, and the people with live orders."""
    taken = await session.exec(
        select(func.coalesce(func.sum(DaySlot.taken), 0)).where(DaySlot.day_id == day_id)
    )
    people = (
        select(Redemption.person_id, Redemption.slot_id)
        .where(Redemption.day_id == day_id, col(Redemption.slot_id).is_not(None))
        .where(orders.is_live())
        .distinct()
        .subquery()
    )
    expected = await session.exec(select(func.count()).select_from(people))
    return int(taken.one()), int(expected.one())
