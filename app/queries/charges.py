"""SQL of charges: what waits for its payer, the sums of a day, and lists."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.merchants import Merchant
from app.models.redemptions import Charge, ChargeRefund, ChargeStatus

# What was refunded, refused or has expired is not counted.
_PAID = """
SELECT c.person_id, c.merchant_id, c.unit_id,
       sum(c.points - coalesce((SELECT sum(points) FROM charge_refunds
                                WHERE charge_id = c.id), 0)) AS points
FROM charges c
WHERE (c.person_id = ANY(CAST(:people AS uuid[]))
       OR c.merchant_id = ANY(CAST(:merchants AS uuid[])))
  AND c.created_at >= :since
  AND (c.status = 'charged' OR (c.status = 'waiting' AND c.expires_at > :at))
GROUP BY 1, 2, 3
"""


class Paid(NamedTuple):
    """Points that a person paid at a merchant, in a unit."""

    person_id: UUID
    merchant_id: UUID
    unit_id: int
    points: int


async def paid(
    session: Session,
    people: Sequence[UUID],
    merchants: Sequence[UUID],
    since: datetime,
    at: datetime,
) -> list[Paid]:
    """Sum what people paid, and what merchants charged, since a time; in one statement.

    Exact while the accounts of the people and the merchants are locked.
    """
    wanted = {"people": people, "merchants": merchants, "since": since, "at": at}
    rows = await session.fetch(_PAID, wanted)
    return [Paid(row.person_id, row.merchant_id, row.unit_id, int(row.points)) for row in rows]


async def lock_own(session: Session, charge_id: UUID, person: UUID) -> Charge | None:
    """Lock a charge, if the person is its payer."""
    query = select(Charge).where(Charge.id == charge_id, Charge.person_id == person)
    return (await session.exec(query.with_for_update())).first()


async def lock(session: Session, charge_id: UUID) -> Charge | None:
    return (
        await session.exec(select(Charge).where(Charge.id == charge_id).with_for_update())
    ).first()


async def find_at(session: Session, charge_id: UUID, merchant: UUID) -> Charge | None:
    """Read a charge, if it is the merchant's."""
    query = select(Charge).where(Charge.id == charge_id, Charge.merchant_id == merchant)
    return (await session.exec(query)).first()


async def settle(session: Session, charge_id: UUID, status: ChargeStatus, at: datetime) -> bool:
    """Settle a charge that waits; False if it was settled before."""
    settled = update(Charge).where(col(Charge.id) == charge_id, is_waiting())
    done: Any = await session.execute(settled.values({"status": status, "settled_at": at}))
    return bool(done.rowcount)


def is_waiting() -> ColumnElement[bool]:
    """Return the condition of the update: of concurrent requests, one settles the charge."""
    return col(Charge.status) == ChargeStatus.waiting


async def overdue(session: Session, at: datetime, limit: int) -> list[UUID]:
    """Find waiting charges past their end."""
    query = select(Charge.id).where(is_waiting(), col(Charge.expires_at) <= at)
    return list(await session.exec(query.order_by(col(Charge.expires_at)).limit(limit)))


async def page(
    session: Session,
    person: UUID,
    waiting_at: datetime | None,
    before: UUID | None,
    limit: int,
) -> Sequence[tuple[Charge, str]]:
    """Read charges of a person with the merchants' names, newest first.

    ``waiting_at``: only those that wait at this moment.
    """
    query: Any = (
        select(Charge, Merchant.name)
        .join(Merchant, col(Merchant.id) == col(Charge.merchant_id))
        .where(Charge.person_id == person)
    )
    if waiting_at is not None:
        query = query.where(is_waiting(), col(Charge.expires_at) > waiting_at)
    if before is not None:
        query = query.where(col(Charge.id) < before)
    return list(await session.exec(query.order_by(col(Charge.id).desc()).limit(limit)))


async def refunded_in_parts(session: Session, charges: Sequence[UUID]) -> dict[UUID, int]:
    """Sum the parts of charges that were refunded before the rest."""
    of, points = col(ChargeRefund.charge_id), func.sum(ChargeRefund.points)
    rows = await session.exec(select(of, points).where(of.in_(charges)).group_by(of))
    return {charge: int(total) for charge, total in rows}


async def named(session: Session, charges: Sequence[UUID]) -> Sequence[tuple[Charge, str]]:
    """Read charges with the merchants' names."""
    query = select(Charge, Merchant.name).join(
        Merchant, col(Merchant.id) == col(Charge.merchant_id)
    )
    return list(await session.exec(query.where(col(Charge.id).in_(charges))))
