"""SQL of expiring points: expired lots, their sums, and notices ahead of expiry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, case, exists
from sqlalchemy.orm import aliased
from sqlmodel import col, func, or_, select

from app.core.db import Session
from app.models.awards import Award, AwardState
from app.models.ledger import Account, ExpiryNotice, Kind, Lot, LotUse, Purpose, Transfer
from app.models.people import Person
from app.queries.ledger.reading import HAS_POINTS


@dataclass(frozen=True, slots=True)
class ExpiredLot:
    """A lot with points past its end, its owner, and the organisation that gets them."""

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


# Of concurrent workers, the one that inserts the row sends the notice.
_ANNOUNCE = """
INSERT INTO expiry_notices (person_id, unit_id, expires_at, days)
SELECT person_id, :unit, expires_at, :days
FROM unnest(CAST(:people AS uuid[]), CAST(:ends AS timestamptz[])) AS k(person_id, expires_at)
ORDER BY person_id, expires_at
ON CONFLICT DO NOTHING
RETURNING person_id, expires_at
"""


async def expired_lots(session: Session, at: datetime, limit: int) -> list[ExpiredLot]:
    """Find lots past their end with points left, longest expired first."""
    query = (
        sqlalchemy.select(
            col(Lot.id),
            col(Lot.account_id),
            col(Account.owner_id),
            col(Account.unit_id),
            col(Lot.org_id),
        )
        .join(Account, col(Account.id) == col(Lot.account_id))
        .where(HAS_POINTS, col(Lot.expires_at) <= at)
        .order_by(col(Lot.expires_at), col(Lot.id))
        .limit(limit)
    )
    return [ExpiredLot(**row) for row in (await session.execute(query)).mappings()]


def _expired_points(at: datetime) -> ColumnElement[int]:
    """Return SQL of the expired points of a lot, whether or not the job has taken them."""
    taken = (
        select(func.sum(LotUse.amount))
        .join(Transfer, col(Transfer.id) == col(LotUse.transfer_id))
        .where(LotUse.lot_id == Lot.id, Transfer.kind == Kind.expiry)
        .correlate(Lot)
        .scalar_subquery()
    )
    left = case((col(Lot.expires_at) <= at, col(Lot.remaining)), else_=0)
    return left + func.coalesce(taken, 0)


async def expired_of(session: Session, transfer: UUID, at: datetime) -> int:
    """Sum the expired points that a transfer brought, including those that came back later."""
    query = (
        select(func.coalesce(func.sum(_expired_points(at)), 0))
        .select_from(Lot)
        .where(or_(col(Lot.transfer_id) == transfer, col(Lot.origin_id) == transfer))
    )
    return int((await session.exec(query)).one())


async def standing(
    session: Session, people: Sequence[UUID], unit: int, but: UUID, at: datetime
) -> int:
    """Sum the points of available awards except one, without expired points.

    ``people``: all accounts of one person.
    """
    origin = aliased(Transfer)
    first_brought_by = func.coalesce(col(Lot.origin_id), col(Lot.transfer_id))
    # A lot belongs to the award whose points it holds, also if these came back into a new lot.
    expired = (
        select(origin.source_id, func.sum(_expired_points(at)).label("points"))
        .select_from(Lot)
        .join(Account, col(Account.id) == col(Lot.account_id))
        .join(origin, col(origin.id) == first_brought_by)
        .where(col(Account.owner_id).in_(people), Account.unit_id == unit)
        .where(Account.purpose == Purpose.available)
        .group_by(col(origin.source_id))
        .subquery()
    )
    # More may have expired than is left of an award that was reversed in part.
    left = func.greatest(col(Award.points) - func.coalesce(expired.c.points, 0), 0)
    query = (
        select(func.coalesce(func.sum(left), 0))
        .select_from(Award)
        .outerjoin(expired, expired.c.source_id == col(Award.id))
        .where(col(Award.person_id).in_(people), Award.unit_id == unit, Award.id != but)
        .where(Award.state == AwardState.available)
    )
    return int((await session.exec(query)).one())


async def unannounced(
    session: Session, *, unit: int, days: int, after: datetime, until: datetime, limit: int
) -> list[Expiring]:
    """Find points that expire in a window and have no notice ``days`` ahead or later."""
    announced = exists().where(
        col(ExpiryNotice.person_id) == col(Account.owner_id),
        col(ExpiryNotice.unit_id) == unit,
        col(ExpiryNotice.expires_at) == col(Lot.expires_at),
        col(ExpiryNotice.days) <= days,
    )
    query = (
        select(Account.owner_id, Lot.expires_at, func.sum(Lot.remaining))
        .select_from(Lot)
        .join(Account, col(Account.id) == col(Lot.account_id))
        .join(Person, col(Person.id) == col(Account.owner_id))
        .where(Account.unit_id == unit, HAS_POINTS, ~announced)
        .where(Lot.expires_at > after, Lot.expires_at <= until)
        .group_by(col(Account.owner_id), col(Lot.expires_at))
        .order_by(col(Lot.expires_at), col(Account.owner_id))
        .limit(limit)
    )
    return [Expiring(*row[:2], int(row[2])) for row in await session.exec(query)]


async def announce(
    session: Session, *, unit: int, days: int, expiring: Sequence[Expiring]
) -> set[tuple[UUID, datetime]]:
    """Insert records of notices; return those that no other worker has inserted."""
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
