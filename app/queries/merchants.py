"""SQL of merchants and their statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, text
from sqlmodel import col, select

from app.core.db import Session
from app.core.paging import Key
from app.models.merchants import Merchant, MerchantState, MerchantVisit
from app.models.orgs import Org
from app.models.people import Person, Role, RoleGrant


@dataclass(frozen=True, slots=True)
class StatementItem:
    kind: str
    id: UUID
    points: int
    person_name: str
    note: str
    at: datetime


# A charge that its payer confirmed counts when it was confirmed, at most a minute later.
_ITEMS = """
SELECT 'charge' AS kind, c.id, c.points, c.person_id, c.note,
       coalesce(c.settled_at, c.created_at) AS at
FROM charges c
WHERE c.merchant_id = :merchant AND c.status IN ('charged', 'refunded')
  AND c.created_at >= CAST(:start AS timestamptz) - INTERVAL '1 hour' AND c.created_at < :end
  AND coalesce(c.settled_at, c.created_at) >= :start
  AND coalesce(c.settled_at, c.created_at) < :end
UNION ALL
SELECT 'refund', c.id,
       -(c.points - coalesce((SELECT sum(points) FROM charge_refunds WHERE charge_id = c.id), 0)),
       c.person_id, coalesce(c.refund_reason, ''), c.refunded_at
FROM charges c
WHERE c.merchant_id = :merchant AND c.refunded_at >= :start AND c.refunded_at < :end
UNION ALL
SELECT 'refund', p.id, -p.points, p.person_id, p.reason, p.created_at FROM charge_refunds p
WHERE p.merchant_id = :merchant AND p.created_at >= :start AND p.created_at < :end
UNION ALL
SELECT 'undo', r.id, -r.points, r.person_id, r.undo_reason, r.undone_at FROM redemptions r
WHERE r.merchant_id = :merchant AND r.undone_at >= :start AND r.undone_at < :end
UNION ALL
SELECT 'collect', r.id, r.points, r.person_id, w.name, r.settled_at
FROM redemptions r JOIN rewards w ON w.id = r.reward_id
WHERE r.merchant_id = :merchant AND r.status = 'collected'
  AND r.settled_at >= :start AND r.settled_at < :end
"""

# Names are looked up after the LIMIT: a join might read all people.
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


async def lock(session: Session, merchant_id: UUID) -> Merchant | None:
    query = select(Merchant).where(Merchant.id == merchant_id).with_for_update(key_share=True)
    return (await session.exec(query)).first()


async def save(session: Session, merchant: Merchant) -> None:
    session.add(merchant)
    await session.flush()


async def browse(
    session: Session,
    org_path: str,
    state: MerchantState | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Merchant]:
    """Read the merchants of a subtree, newest first."""
    query = (
        select(Merchant)
        .join(Org, col(Org.id) == col(Merchant.org_id))
        .where(col(Org.path).startswith(org_path, autoescape=True))
    )
    if state is not None:
        query = query.where(Merchant.state == state)
    if before is not None:
        query = query.where(col(Merchant.id) < before)
    return (await session.exec(query.order_by(col(Merchant.id).desc()).limit(limit))).all()


async def of_person(
    session: Session, person: UUID, before: UUID | None, limit: int
) -> Sequence[Merchant]:
    """Read the merchants that a person works at or applied for, newest first."""
    works = select(RoleGrant.merchant_id).where(
        RoleGrant.person_id == person, RoleGrant.role == Role.merchant_staff
    )
    query = select(Merchant).where(
        or_(col(Merchant.applied_by) == person, col(Merchant.id).in_(works))
    )
    if before is not None:
        query = query.where(col(Merchant.id) < before)
    return (await session.exec(query.order_by(col(Merchant.id).desc()).limit(limit))).all()


async def count_active(session: Session, org_id: UUID) -> int:
    """Count the active merchants of an organisation, without those of organisations below it."""
    query = select(func.count()).select_from(Merchant).where(Merchant.org_id == org_id)
    return (await session.exec(query.where(Merchant.state == MerchantState.active))).one()


async def count_applications(session: Session, person: UUID) -> int:
    """Count the undecided applications of a person."""
    query = select(func.count()).where(
        col(Merchant.applied_by) == person, col(Merchant.state) == MerchantState.applied
    )
    return (await session.exec(query)).one()


async def lock_applied_by(session: Session, people: Sequence[UUID]) -> Sequence[Merchant]:
    """Lock the merchants for which people applied, by id."""
    query = select(Merchant).where(col(Merchant.applied_by).in_(people)).order_by(col(Merchant.id))
    return (await session.exec(query.with_for_update(key_share=True))).all()


async def was_visited(session: Session, merchant: UUID) -> bool:
    query = select(MerchantVisit.id).where(MerchantVisit.merchant_id == merchant).limit(1)
    return (await session.exec(query)).first() is not None


async def staff(session: Session, merchant: UUID) -> list[tuple[UUID, str, datetime]]:
    """Read id, name and appointment of a merchant's staff, the oldest grant first."""
    query = (
        select(Person.id, Person.display_name, RoleGrant.created_at)
        .join(RoleGrant, col(RoleGrant.person_id) == col(Person.id))
        .where(RoleGrant.merchant_id == merchant, RoleGrant.role == Role.merchant_staff)
        .order_by(col(RoleGrant.id))
    )
    return list(await session.exec(query))


async def statement(
    session: Session,
    merchant: UUID,
    start: datetime,
    end: datetime,
    after: Key | None,
    *,
    limit: int,
) -> list[StatementItem]:
    """Read charges, refunds, collections and their undos of a period, newest first.

    ``after``: only those after this item (time, id, kind).
    """
    wanted = {"merchant": merchant, "start": start, "end": end, "limit": limit}
    key = dict(zip(("after_at", "after_id", "after_kind"), after or (None,) * 3, strict=True))
    rows = await session.execute(_STATEMENT, wanted | key)
    return [StatementItem(**row) for row in rows.mappings()]


async def sums(session: Session, merchant: UUID, start: datetime, end: datetime) -> dict[str, int]:
    """Sum the points of a period by kind; refunds and undos are negative."""
    rows = await session.execute(_SUMS, {"merchant": merchant, "start": start, "end": end})
    return {row.kind: int(row.points) for row in rows}
