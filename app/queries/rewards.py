"""SQL of rewards and their stock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.rewards import Reward

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

_OPEN_STOCK = text("""
INSERT INTO reward_stocks (reward_id, period_start, remaining)
VALUES (:reward, :period_start, :stock) ON CONFLICT DO NOTHING
""")

# One conditional counter update: of many who want the last one, one gets it.
TAKE_STOCK = """
UPDATE reward_stocks SET remaining = remaining - :quantity
WHERE reward_id = :reward AND period_start = :period_start AND remaining >= :quantity
"""

_STOCK_LEFT = text("""
SELECT remaining FROM reward_stocks WHERE reward_id = :reward AND period_start = :period_start
""")

_RETURN_STOCK = text("""
UPDATE reward_stocks SET remaining = remaining + :quantity
WHERE reward_id = :reward AND period_start = :period_start
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
    key = {"reward": reward, "period_start": period_start}
    await session.execute(_OPEN_STOCK, key | {"stock": stock})
    done = await session.execute(text(TAKE_STOCK), key | {"quantity": quantity})
    return bool(done.rowcount)  # type: ignore[attr-defined]


async def stock_left(session: Session, reward: UUID, period_start: datetime) -> int:
    """Read what is left of the stock of a period that was opened."""
    row = await session.execute(_STOCK_LEFT, {"reward": reward, "period_start": period_start})
    return int(row.scalar_one())


async def return_stock(
    session: Session, reward: UUID, period_start: datetime, quantity: int
) -> None:
    await session.execute(
        _RETURN_STOCK, {"reward": reward, "period_start": period_start, "quantity": quantity}
    )
