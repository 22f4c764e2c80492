"""SQL of shops."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import Row, Session
from app.models.merchants import Merchant, MerchantState
from app.models.orgs import Org
from app.models.shops import Shop, ShopState
from app.queries.records import Query

_FIRST_OF = """
SELECT s.* FROM unnest(CAST(:merchants AS uuid[])) AS k(merchant_id)
CROSS JOIN LATERAL (
    SELECT * FROM shops WHERE merchant_id = k.merchant_id AND state = 'open'
    ORDER BY id LIMIT :limit
) s
"""


def open_ones(org_path: str | None, merchant: UUID | None) -> Query[Shop]:
    """Select the open shops of active merchants: of a subtree, of one merchant, or all."""
    query = (
        select(Shop)
        .join(Merchant, col(Merchant.id) == col(Shop.merchant_id))
        .where(Shop.state == ShopState.open, Merchant.state == MerchantState.active)
    )
    if org_path is not None:
        query = query.join(Org, col(Org.id) == col(Shop.org_id))
        query = query.where(col(Org.path).startswith(org_path, autoescape=True))
    if merchant is not None:
        query = query.where(Shop.merchant_id == merchant)
    return query


async def first(session: Session, limit: int) -> Sequence[Shop]:
    """Read the oldest open shops of active merchants."""
    query = open_ones(None, None).order_by(col(Shop.id)).limit(limit)
    return (await session.exec(query)).all()


async def first_of(
    session: Session, merchants: Sequence[UUID], limit: int
) -> dict[UUID, list[Row]]:
    """Read the oldest open shops of each of many merchants."""
    rows = await session.fetch(_FIRST_OF, {"merchants": list(merchants), "limit": limit})
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row.merchant_id, []).append(row)
    return found


async def count(session: Session, merchant: UUID) -> int:
    """Count the shops of a merchant, closed ones too."""
    query = select(func.count()).where(col(Shop.merchant_id) == merchant)
    return (await session.exec(query)).one()
