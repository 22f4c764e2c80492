"""SQL of redemptions and charges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.models.people import Person
from app.models.redemptions import (
    Charge,
    ChargeRefund,
    ChargeStatus,
    Redemption,
    RedemptionStatus,
)
from app.models.rewards import Reward
from app.queries import people as people_queries


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge to insert; ``org_id`` and the unit are the merchant's.

    ``expires_at``: until when its payer may confirm it; None: it is charged at once.
    """

    id: UUID
    merchant_id: UUID
    org_id: UUID
    person_id: UUID
    staff_id: UUID
    points: int
    unit_id: int
    note: str
    expires_at: datetime | None = None


@dataclass(slots=True)
class Collectable:
    """A locked redemption, with its reward and the status of its owner's card."""

    id: UUID
    pickup_code: str
    merchant_id: UUID
    person_id: UUID
    reward_id: UUID
    quantity: int
    points: int
    unit_id: int
    status: str
    expires_at: datetime
    card_status: str
    frozen_at: datetime | None
    lost_at: datetime | None
    reward_name: str
    org_id: UUID
    day_id: UUID | None
    replaces_id: UUID | None


# Codes of other merchants are not found. The card is locked FOR SHARE, so that it is not suspended
# between this read and the collection.
LOCK_COLLECTABLE = """
SELECT r.id, r.pickup_code, r.merchant_id, r.person_id, r.reward_id, r.quantity, r.points,
       r.unit_id, r.status, r.expires_at, c.status AS card_status, c.frozen_at, c.lost_at,
       w.name AS reward_name, w.org_id, r.day_id, r.replaces_id
FROM unnest(CAST(:merchants AS uuid[]), CAST(:codes AS text[])) k(merchant_id, code)
JOIN redemptions r ON r.pickup_code = k.code AND r.merchant_id = k.merchant_id
JOIN cards c ON c.person_id = r.person_id
JOIN rewards w ON w.id = r.reward_id
ORDER BY r.id FOR UPDATE OF r FOR SHARE OF c
"""

_SETTLE_COLLECTED = """
UPDATE redemptions r SET status = 'collected', settled_at = :at, settled_by = k.staff_id
FROM unnest(CAST(:ids AS uuid[]), CAST(:staff AS uuid[])) k(id, staff_id)
WHERE r.id = k.id AND r.status = 'reserved'
"""

_INSERT_CHARGES = """
INSERT INTO charges (id, merchant_id, person_id, staff_id, points, unit_id, note, expires_at,
    status, created_at)
SELECT id, merchant_id, person_id, staff_id, points, unit_id, note, expires_at,
    CASE WHEN expires_at IS NULL THEN 'charged' ELSE 'waiting' END, :at
FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]), CAST(:person_id AS uuid[]),
    CAST(:staff_id AS uuid[]), CAST(:points AS int[]), CAST(:unit_id AS int[]),
    CAST(:note AS text[]), CAST(:expires_at AS timestamptz[]))
    AS k(id, merchant_id, person_id, staff_id, points, unit_id, note, expires_at)
"""


async def insert(session: Session, redemption: Redemption) -> None:
    session.add(redemption)
    await session.flush()


async def redeemed(
    session: Session, person: UUID, reward: UUID, since: datetime, at: datetime
) -> int:
    """Sum a person's quantity of a reward since a time, without what is overdue or was undone.

    With accounts that were merged into the person's. Exact while the person's are locked.
    """
    people = [person, *await people_queries.merged_into(session, [person])]
    in_time = (col(Redemption.status) == RedemptionStatus.reserved) & (
        col(Redemption.expires_at) > at
    )
    found = await session.exec(
        select(func.coalesce(func.sum(Redemption.quantity), 0))
        .where(col(Redemption.person_id).in_(people), Redemption.reward_id == reward)
        .where(col(Redemption.created_at) >= since)
        .where(in_time | (col(Redemption.status) == RedemptionStatus.collected))
        .where(col(Redemption.undone_at).is_(None))
        .where(col(Redemption.day_id).is_(None))  # a redemption day has limits of its own
    )
    return int(found.one())


async def lock(session: Session, redemption_id: UUID) -> Redemption | None:
    found = await session.exec(
        select(Redemption).where(Redemption.id == redemption_id).with_for_update()
    )
    return found.first()


async def find_own(session: Session, redemption_id: UUID, person: UUID) -> Redemption | None:
    mine = select(Redemption).where(Redemption.id == redemption_id)
    return (await session.exec(mine.where(Redemption.person_id == person))).first()


async def lock_own(session: Session, redemption_id: UUID, person: UUID) -> Redemption | None:
    found = await session.exec(
        select(Redemption)
        .where(Redemption.id == redemption_id, Redemption.person_id == person)
        .with_for_update()
    )
    return found.first()


async def lock_at(session: Session, redemption_id: UUID, merchant: UUID) -> Redemption | None:
    """Lock a redemption, if it is the merchant's."""
    found = await session.exec(
        select(Redemption)
        .where(Redemption.id == redemption_id, Redemption.merchant_id == merchant)
        .with_for_update()
    )
    return found.first()


async def undo(session: Session, redemption_id: UUID, at: datetime, by: UUID, reason: str) -> None:
    """Mark a locked collection as undone."""
    values = {"undone_at": at, "undone_by": by, "undo_reason": reason}
    undone = update(Redemption).where(col(Redemption.id) == redemption_id).values(values)
    await session.execute(undone)


async def lock_collectable(
    session: Session, wanted: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Collectable]:
    """Lock redemptions by merchant and pick-up code, in the order of their ids."""
    merchants, codes = [list(part) for part in zip(*wanted, strict=True)]
    rows = await session.fetch(LOCK_COLLECTABLE, {"merchants": merchants, "codes": codes})
    return {(row.merchant_id, row.pickup_code): Collectable(**row) for row in rows}


async def settle_collected(
    session: Session, collected: Sequence[tuple[UUID, UUID]], at: datetime
) -> None:
    """Mark locked reservations as collected; each with the member of staff who handed it over."""
    ids, staff = [list(part) for part in zip(*collected, strict=True)]
    await session.fetch(_SETTLE_COLLECTED, {"ids": ids, "staff": staff, "at": at})


async def settle(
    session: Session, redemption_id: UUID, status: RedemptionStatus, at: datetime, by: UUID | None
) -> bool:
    """Settle a reservation; False if it was settled before."""
    settled = update(Redemption).where(col(Redemption.id) == redemption_id, is_reserved())
    values = {"status": status, "settled_at": at, "settled_by": by}
    done: Any = await session.execute(settled.values(values))
    return bool(done.rowcount)


def is_reserved() -> ColumnElement[bool]:
    """Return the condition of the update: of concurrent requests, one settles the reservation."""
    return col(Redemption.status) == RedemptionStatus.reserved


async def page(session: Session, person: UUID, before: UUID | None, limit: int) -> Sequence[Any]:
    """Read a person's redemptions (``Redemption``) with where each is collected, newest first."""
    query: Any = (
        select(Redemption)
        .add_columns(
            col(Redemption.id).label("id"),
            col(Reward.name).label("reward_name"),
            col(Reward.name_en).label("reward_name_en"),
            col(Reward.pickup_place).label("pickup_place"),
            col(Reward.pickup_hours).label("pickup_hours"),
            col(Merchant.name).label("merchant_name"),
        )
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .join(Merchant, col(Merchant.id) == col(Redemption.merchant_id))
        .where(col(Redemption.person_id) == person)
        .order_by(col(Redemption.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Redemption.id) < before)
    return (await session.execute(query)).all()


async def of_subtree(
    session: Session,
    org_path: str,
    status: RedemptionStatus | None,
    merchant: UUID | None,
    before: UUID | None,
    limit: int,
) -> Sequence[tuple[Redemption, Reward, str, str]]:
    """Read redemptions at merchants of a subtree, rewards, and merchants and people by name."""
    query: Any = (
        select(Redemption, Reward, Merchant.name, Person.display_name)
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .join(Merchant, col(Merchant.id) == col(Redemption.merchant_id))
        .join(Org, col(Org.id) == col(Merchant.org_id))
        .join(Person, col(Person.id) == col(Redemption.person_id))
        .where(col(Org.path).startswith(org_path, autoescape=True))
        .order_by(col(Redemption.id).desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(Redemption.status == status)
    if merchant is not None:
        query = query.where(Redemption.merchant_id == merchant)
    if before is not None:
        query = query.where(col(Redemption.id) < before)
    return list(await session.exec(query))


async def overdue(session: Session, at: datetime, limit: int) -> list[UUID]:
    """Find reservations past their expiry."""
    query = (
        select(Redemption.id)
        .where(Redemption.status == RedemptionStatus.reserved, col(Redemption.expires_at) <= at)
        .order_by(col(Redemption.expires_at))
        .limit(limit)
    )
    return list(await session.exec(query))


async def insert_charges(session: Session, charges: Sequence[NewCharge], at: datetime) -> None:
    names = [name for name in NewCharge.__dataclass_fields__ if name != "org_id"]
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


async def refunded_in_parts(session: Session, charge_id: UUID) -> int:
    """Sum the parts of a locked charge that were refunded before the rest."""
    total = func.coalesce(func.sum(ChargeRefund.points), 0)
    found = await session.exec(select(total).where(ChargeRefund.charge_id == charge_id))
    return int(found.one())


async def insert_refund(session: Session, part: ChargeRefund) -> None:
    session.add(part)
    await session.flush()


async def refund(session: Session, charge_id: UUID, at: datetime, reason: str) -> bool:
    """Mark a charge as refunded; False if it was refunded before."""
    refunded = update(Charge).where(col(Charge.id) == charge_id, is_charged())
    values = {"status": ChargeStatus.refunded, "refunded_at": at, "refund_reason": reason}
    done: Any = await session.execute(refunded.values(values))
    return bool(done.rowcount)


def is_charged() -> ColumnElement[bool]:
    """Return the condition of the update: of concurrent requests, one refunds the charge."""
    return col(Charge.status) == ChargeStatus.charged
