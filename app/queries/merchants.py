"""SQL of merchants and of their statements."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.core.db import Session
from app.core.paging import Key
from app.models.merchants import Merchant


@dataclass(frozen=True, slots=True)
class StatementItem:
    kind: str
    id: UUID
    points: int
    person_name: str
    note: str
    at: datetime


_ITEMS = """
SELECT 'charge' AS kind, c.id, c.points, c.person_id, c.note, c.created_at AS at FROM charges c
WHERE c.merchant_id = :merchant AND c.created_at >= :start AND c.created_at < :end
UNION ALL
SELECT 'refund', c.id, -c.points, c.person_id, coalesce(c.refund_reason, ''), c.refunded_at
FROM charges c
WHERE c.merchant_id = :merchant AND c.refunded_at >= :start AND c.refunded_at < :end
UNION ALL
SELECT 'collect', r.id, r.points, r.person_id, w.name, r.settled_at
FROM redemptions r JOIN rewards w ON w.id = r.reward_id
WHERE r.merchant_id = :merchant AND r.status = 'collected'
  AND r.settled_at >= :start AND r.settled_at < :end
"""

# The page is cut first, then its names are looked up: a join might read all people for them.
_STATEMENT = text(f"""
SELECT i.kind, i.id, i.points, i.note, i.at,
       (SELECT display_name FROM people WHERE id = i.person_id) AS person_name
FROM (
    SELECT * FROM ({_ITEMS}) x
    WHERE CAST(:after_at AS timestamptz) IS NULL
       OR (at, id, kind) < (:after_at, CAST(:after_id AS uuid), CAST(:after_kind AS text))
    ORDER BY at DESC, id DESC, kind DESC LIMIT :limit
) i
ORDER BY i.at DESC, i.id DESC, i.kind DESC
""")  # noqa: S608 - a constant

_SUMS = text(f"SELECT kind, sum(points) AS points FROM ({_ITEMS}) i GROUP BY kind")  # noqa: S608


async def find(session: Session, merchant_id: UUID) -> Merchant | None:
    return await session.get(Merchant, merchant_id)


async def statement(
    session: Session,
    merchant: UUID,
    start: datetime,
    end: datetime,
    after: Key | None,
    *,
    limit: int,
) -> list[StatementItem]:
    """Read charges, refunds and collections of a time, newest first.

    ``after``: only those after an item, by its time, id and kind.
    """
    wanted = {"merchant": merchant, "start": start, "end": end, "limit": limit}
    key = dict(zip(("after_at", "after_id", "after_kind"), after or (None,) * 3, strict=True))
    rows = await session.execute(_STATEMENT, wanted | key)
    return [StatementItem(**row) for row in rows.mappings()]


async def sums(session: Session, merchant: UUID, start: datetime, end: datetime) -> dict[str, int]:
    """Sum the points of a time by kind; refunds are negative."""
    rows = await session.execute(_SUMS, {"merchant": merchant, "start": start, "end": end})
    return {row.kind: int(row.points) for row in rows}
