"""SQL of redemptions and charges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.redemptions import Charge, Redemption, RedemptionStatus
from app.models.rewards import Reward


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge as it is inserted; ``org_id`` and the unit are the merchant's."""

    id: UUID
    merchant_id: UUID
    org_id: UUID
    person_id: UUID
    staff_id: UUID
    points: int
    unit_id: int
    note: str


_REDEEMED = text("""
SELECT coalesce(sum(quantity), 0) FROM redemptions
WHERE person_id = :person AND reward_id = :reward AND created_at >= :since
  AND status IN ('reserved', 'collected')
""")

_SETTLE = text("""
UPDATE redemptions SET status = :status, settled_at = :at, settled_by = :by
WHERE id = :id AND status = 'reserved'
""")

_INSERT_CHARGES = """
INSERT INTO charges (id, merchant_id, person_id, staff_id, points, unit_id, note, status,
    created_at)
SELECT id, merchant_id, person_id, staff_id, points, unit_id, note, 'charged', :at
FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]), CAST(:person_id AS uuid[]),
    CAST(:staff_id AS uuid[]), CAST(:points AS int[]), CAST(:unit_id AS int[]),
    CAST(:note AS text[]))
    AS k(id, merchant_id, person_id, staff_id, points, unit_id, note)
"""

# The conditional update is the guard: of many refunds at once, one finds it charged.
REFUND = """
UPDATE charges SET status = 'refunded', refunded_at = :at, refund_reason = :reason
WHERE id = :id AND status = 'charged'
"""


async def insert(session: Session, redemption: Redemption) -> None:
    session.add(redemption)
    await session.flush()


async def redeemed(session: Session, person: UUID, reward: UUID, since: datetime) -> int:
    """Count what a person has of a reward; exact while the person's accounts are locked."""
    row = await session.execute(_REDEEMED, {"person": person, "reward": reward, "since": since})
    return int(row.scalar_one())


async def lock(session: Session, redemption_id: UUID) -> Redemption | None:
    found = await session.exec(
        select(Redemption).where(Redemption.id == redemption_id).with_for_update()
    )
    return found.first()


async def lock_own(session: Session, redemption_id: UUID, person: UUID) -> Redemption | None:
    found = await session.exec(
        select(Redemption)
        .where(Redemption.id == redemption_id, Redemption.person_id == person)
        .with_for_update()
    )
    return found.first()


async def lock_by_pickup_code(session: Session, code: str, merchant: UUID) -> Redemption | None:
    """Lock a redemption by its code, if it is the merchant's."""
    found = await session.exec(
        select(Redemption)
        .where(Redemption.pickup_code == code, Redemption.merchant_id == merchant)
        .with_for_update()
    )
    return found.first()


async def settle(
    session: Session, redemption_id: UUID, status: RedemptionStatus, at: datetime, by: UUID | None
) -> bool:
    """End a reservation; False if somebody else did."""
    done = await session.execute(
        _SETTLE, {"id": redemption_id, "status": status, "at": at, "by": by}
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


async def page(session: Session, person: UUID, before: UUID | None, limit: int) -> Sequence[Any]:
    """Read a person's redemptions (``Redemption``) with their rewards' names, newest first."""
    query: Any = (
        select(Redemption, col(Reward.name).label("reward_name"), col(Redemption.id).label("id"))
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .where(Redemption.person_id == person)
        .order_by(col(Redemption.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Redemption.id) < before)
    return list(await session.exec(query))


async def overdue(
    session: Session, at: datetime, limit: int, *, person: UUID | None = None
) -> list[UUID]:
    """Find reservations whose time is over, of one person or of all."""
    query = (
        select(Redemption.id)
        .where(Redemption.status == RedemptionStatus.reserved, col(Redemption.expires_at) <= at)
        .order_by(col(Redemption.expires_at))
        .limit(limit)
    )
    if person is not None:
        query = query.where(Redemption.person_id == person)
    return list(await session.exec(query))


async def lock_overdue(
    session: Session, at: datetime, person: UUID, limit: int
) -> list[Redemption]:
    """Lock a person's reservations whose time is over, in the order of their rewards."""
    query = (
        select(Redemption)
        .where(Redemption.status == RedemptionStatus.reserved, col(Redemption.expires_at) <= at)
        .where(Redemption.person_id == person)
        .order_by(col(Redemption.reward_id), col(Redemption.id))
        .limit(limit)
        .with_for_update()
    )
    return list(await session.exec(query))


async def insert_charges(session: Session, charges: Sequence[NewCharge], at: datetime) -> None:
    names = ("id", "merchant_id", "person_id", "staff_id", "points", "unit_id", "note")
    await session.fetch(
        _INSERT_CHARGES,
        {name: [getattr(charge, name) for charge in charges] for name in names} | {"at": at},
    )


async def lock_charge(session: Session, charge_id: UUID, merchant: UUID) -> Charge | None:
    """Lock a charge, if it is the merchant's."""
    found = await session.exec(
        select(Charge)
        .where(Charge.id == charge_id, Charge.merchant_id == merchant)
        .with_for_update()
    )
    return found.first()


async def refund(session: Session, charge_id: UUID, at: datetime, reason: str) -> bool:
    """Mark a charge as refunded; False if it was."""
    done = await session.execute(text(REFUND), {"id": charge_id, "at": at, "reason": reason})
    return bool(done.rowcount)  # type: ignore[attr-defined]
