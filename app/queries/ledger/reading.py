"""SQL that reads: balances, passbook pages, what will expire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.db import Session

_BALANCES = text("""
SELECT owner_id, purpose, unit_id, balance, last_number FROM ledger_accounts
WHERE owner_id = ANY(CAST(:owners AS uuid[]))
""")

# Two ranges of gapless numbers, each on its own index: never more than :limit rows each.
_PASSBOOK = text("""
WITH account AS (
    SELECT id, last_number FROM ledger_accounts
    WHERE owner_id = :owner AND purpose = :purpose AND unit_id = :unit
), page AS (
    SELECT id, least(coalesce(CAST(:before AS bigint) - 1, last_number), last_number) AS newest
    FROM account
)
SELECT t.id, t.to_number AS number, 'in' AS direction, t.amount AS points,
       t.to_balance AS balance_after, t.kind, t.reason, t.source_type, t.source_id, t.created_at
FROM page p JOIN ledger_transfers t ON t.to_account_id = p.id
     AND t.to_number > p.newest - :limit AND t.to_number <= p.newest
UNION ALL
SELECT t.id, t.from_number, 'out', t.amount,
       t.from_balance, t.kind, t.reason, t.source_type, t.source_id, t.created_at
FROM page p JOIN ledger_transfers t ON t.from_account_id = p.id
     AND t.from_number > p.newest - :limit AND t.from_number <= p.newest
ORDER BY number DESC
""")

# Spent is what left for good; earned is what arrived and was not taken back.
_TOTALS = text("""
WITH mine AS (
    SELECT id, purpose FROM ledger_accounts
    WHERE owner_id = :owner AND unit_id = :unit AND purpose IN ('available', 'held')
)
SELECT coalesce(sum(amount) FILTER (WHERE what = 'earned'), 0) AS earned,
       coalesce(sum(amount) FILTER (WHERE what = 'spent'), 0) AS spent
FROM (
    SELECT 'earned' AS what, t.amount FROM mine m JOIN ledger_transfers t ON t.to_account_id = m.id
    WHERE t.kind IN ('award', 'release')
    UNION ALL
    SELECT 'earned', -t.amount FROM mine m JOIN ledger_transfers t ON t.from_account_id = m.id
    WHERE t.kind = 'reversal'
    UNION ALL
    SELECT 'spent', t.amount FROM mine m JOIN ledger_transfers t ON t.from_account_id = m.id
    WHERE t.kind IN ('charge', 'collect')
    UNION ALL
    SELECT 'spent', -t.amount FROM mine m JOIN ledger_transfers t ON t.to_account_id = m.id
    WHERE t.kind = 'refund'
) x
""")

_EXPIRING = text("""
SELECT sum(l.remaining) AS points, l.expires_at
FROM ledger_lots l JOIN ledger_accounts a ON a.id = l.account_id
WHERE a.owner_id = :owner AND a.purpose = 'available' AND a.unit_id = :unit AND l.remaining > 0
GROUP BY l.expires_at ORDER BY l.expires_at LIMIT 36
""")


async def balances(session: Session, owners: Sequence[UUID]) -> dict[tuple[UUID, str, int], int]:
    """Read every balance of the owners, by (owner, purpose, unit)."""
    rows = await session.execute(_BALANCES, {"owners": list(owners)})
    return {(row.owner_id, row.purpose, row.unit_id): row.balance for row in rows}


async def passbook(
    session: Session, owner: UUID, purpose: str, unit: int, *, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Read the entries of an account with numbers below ``before``, newest first."""
    rows = await session.execute(
        _PASSBOOK,
        {"owner": owner, "purpose": purpose, "unit": unit, "before": before, "limit": limit},
    )
    return [dict(row) for row in rows.mappings()]


async def totals(session: Session, owner: UUID, unit: int) -> tuple[int, int]:
    """Sum what a person ever earned and spent."""
    row = (await session.execute(_TOTALS, {"owner": owner, "unit": unit})).one()
    return int(row.earned), int(row.spent)


async def expiring(session: Session, owner: UUID, unit: int) -> list[tuple[int, datetime]]:
    """Read the remaining points of a person by the moment at which they expire."""
    rows = await session.execute(_EXPIRING, {"owner": owner, "unit": unit})
    return [(int(row.points), row.expires_at) for row in rows]
