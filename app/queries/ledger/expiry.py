# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of what expires."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session


@dataclass(frozen=True, slots=True)
class ExpiredLot:
    """A lot that holds something past its end, whose it is, and whose it becomes."""

    id: UUID
    account_id: int
    owner_id: UUID
    unit_id: int
    org_id: UUID


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points of a person that expire together."""

    person_id: UUID
    expires_at: datetime
    points: int


_EXPIRED = """
SELECT l.id, l.account_id, a.owner_id, a.unit_id, l.org_id
FROM ledger_lots l JOIN ledger_accounts a ON a.id = l.account_id
WHERE l.remaining > 0 AND l.expires_at <= :at
ORDER BY l.expires_at, l.id LIMIT :limit
"""

# What has expired of a lot, taken by the job already or not.
_GONE = """
CASE WHEN l.expires_at <= :at THEN l.remaining ELSE 0 END + coalesce((
    SELECT sum(u.amount) FROM ledger_lot_uses u
    JOIN ledger_transfers t ON t.id = u.transfer_id AND t.kind = 'expiry'
    WHERE u.lot_id = l.id), 0)
"""

_EXPIRED_OF = f"""
SELECT CAST(coalesce(sum({_GONE}), 0) AS bigint) AS points
FROM ledger_lots l WHERE l.transfer_id = :transfer OR l.origin_id = :transfer
"""

# A lot is of the award whose points it holds, also after they came back into a new one.
_STANDING = f"""
WITH others AS (
    SELECT id, points FROM awards
    WHERE person_id = :person AND unit_id = :unit AND state = 'available' AND id <> :but
)
SELECT CAST(coalesce((SELECT sum(points) FROM others), 0)
          - coalesce((SELECT sum({_GONE})
                      FROM ledger_accounts a
                      JOIN ledger_lots l ON l.account_id = a.id
                      JOIN ledger_transfers o ON o.id = coalesce(l.origin_id, l.transfer_id)
                      JOIN others w ON w.id = o.source_id
                      WHERE a.owner_id = :person AND a.unit_id = :unit
                        AND a.purpose = 'available'), 0) AS bigint) AS points
"""

_UNANNOUNCED = """
SELECT a.owner_id AS person_id, l.expires_at, CAST(sum(l.remaining) AS bigint) AS points
FROM ledger_lots l
JOIN ledger_accounts a ON a.id = l.account_id AND a.unit_id = :unit
JOIN people p ON p.id = a.owner_id
WHERE l.remaining > 0 AND l.expires_at > :after AND l.expires_at <= :until
  AND NOT EXISTS (SELECT FROM expiry_notices n
                  WHERE n.person_id = a.owner_id AND n.unit_id = :unit
                    AND n.expires_at = l.expires_at AND n.days <= :days)
GROUP BY a.owner_id, l.expires_at
ORDER BY l.expires_at, a.owner_id LIMIT :limit
"""

# Who inserts the row announces it: of two workers, one.
_ANNOUNCE = """
INSERT INTO expiry_notices (person_id, unit_id, expires_at, days)
SELECT person_id, :unit, expires_at, :days
FROM unnest(CAST(:people AS uuid[]), CAST(:ends AS timestamptz[])) AS k(person_id, expires_at)
ORDER BY person_id, expires_at
ON CONFLICT DO NOTHING
RETURNING person_id, expires_at
"""


async def expired_lots(session: Session, at: datetime, limit: int) -> list[ExpiredLot]:
    """Find lots past their end that still hold something, longest first."""
    rows = await session.fetch(_EXPIRED, {"at": at, "limit": limit})
    return [ExpiredLot(**row) for row in rows]


async def expired_of(session: Session, transfer: UUID, at: datetime) -> int:
    """Sum what has expired of the points that a transfer brought, also after they came back."""
    rows = await session.fetch(_EXPIRED_OF, {"transfer": transfer, "at": at})
    return int(rows[0].points)


async def standing(session: Session, person: UUID, unit: int, but: UUID, at: datetime) -> int:
    """Sum what a person's awards but one gave, without reversed ones and what has expired."""
    wanted = {"person": person, "unit": unit, "but": but, "at": at}
    return int((await session.fetch(_STANDING, wanted))[0].points)


async def unannounced(
    session: Session, *, unit: int, days: int, after: datetime, until: datetime, limit: int
) -> list[Expiring]:
    """Find what expires in a window and was not announced ``days`` ahead, nor later."""
    wanted = {"unit": unit, "days": days, "after": after, "until": until, "limit": limit}
    return [Expiring(**row) for row in await session.fetch(_UNANNOUNCED, wanted)]


async def announce(
    session: Session, *, unit: int, days: int, expiring: Sequence[Expiring]
) -> set[tuple[UUID, datetime]]:
    """Note that it is announced; return what nobody else has announced meanwhile."""
    rows = await session.fetch(
        _ANNOUNCE,
        {
            "unit": unit,
            "days": days,
            "people": [one.person_id for one in expiring],
            "ends": [one.expires_at for one in expiring],
        },
    )
    return {(row.person_id, row.expires_at) for row in rows}
