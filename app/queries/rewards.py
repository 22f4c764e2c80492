"""SQL of rewards and their stock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.rewards import Reward, RewardStock

_PAGE = text("""
SELECT r.*, m.name AS merchant_name,
       CASE WHEN r.stock IS NULL THEN NULL ELSE coalesce(s.remaining, r.stock) END AS stock_left
FROM rewards r JOIN orgs o ON o.id = r.org_id JOIN merchants m ON m.id = r.merchant_id
LEFT JOIN reward_stocks s ON s.reward_id = r.id AND s.period_start = CASE r.stock_period
    WHEN 'month' THEN CAST(:month AS timestamptz)
    WHEN 'quarter' THEN CAST(:quarter AS timestamptz)
    WHEN 'year' THEN CAST(:year AS timestamptz)
    ELSE CAST(:all AS timestamptz) END
WHERE (CAST(:path AS text) IS NULL OR o.path ^@ :path)
  AND (CAST(:merchant AS uuid) IS NULL OR r.merchant_id = :merchant)
  AND (CAST(:after AS uuid) IS NULL OR r.id > :after)
ORDER BY r.id LIMIT :limit
""")


async def page(
    session: Session,
    org_path: str | None,
    merchant: UUID | None,
    after: UUID | None,
    limit: int,
    periods: dict[str, datetime],
) -> Sequence[Any]:
    """Read rewards with what is left in the running periods (starts by name)."""
    rows = await session.execute(
        _PAGE,
        {"path": org_path, "merchant": merchant, "after": after, "limit": limit} | periods,
    )
    return rows.all()


async def find(session: Session, reward_id: UUID) -> Reward | None:
    return await session.get(Reward, reward_id)


async def find_many(session: Session, ids: Sequence[UUID]) -> list[Reward]:
    return list(await session.exec(select(Reward).where(col(Reward.id).in_(ids))))


async def take_stock(
    session: Session, reward: UUID, period_start: datetime, *, stock: int, quantity: int
) -> bool:
    """Take from the stock of a period, opening it with ``stock``; False if too little is left."""
    opening = {"reward_id": reward, "period_start": period_start, "remaining": stock}
    await session.execute(insert(RewardStock).values(opening).on_conflict_do_nothing())
    # One conditional counter update: of many who want the last one, one gets it.
    done: Any = await session.execute(
        _of_period(reward, period_start)
        .where(enough(quantity))
        .values(remaining=RewardStock.remaining - quantity)
    )
    return bool(done.rowcount)


async def stock_left(session: Session, reward: UUID, period_start: datetime) -> int:
    """Read what is left of the stock of a period that was opened."""
    stock = await session.get_one(RewardStock, (reward, period_start))
    return stock.remaining


async def return_stock(
    session: Session, reward: UUID, period_start: datetime, quantity: int
) -> None:
    back = _of_period(reward, period_start).values(remaining=RewardStock.remaining + quantity)
    await session.execute(back)


def enough(quantity: int) -> ColumnElement[bool]:
    """Whether a stock has so many left."""
    return col(RewardStock.remaining) >= quantity


def _of_period(reward: UUID, period_start: datetime) -> Update:
    """Update the stock of a reward in a period."""
    return update(RewardStock).where(
        col(RewardStock.reward_id) == reward, col(RewardStock.period_start) == period_start
    )
