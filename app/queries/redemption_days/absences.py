"""SQL of absences: who had orders of a redemption day and collected none."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from app.core.db import Session
from app.models.redemption_days import DayAbsence, DayState, RedemptionDay
from app.models.redemptions import Redemption, RedemptionStatus


async def unsettled(session: Session, at: datetime) -> RedemptionDay | None:
    """Lock a day that is over and whose absences are not recorded, once no order is open."""
    is_open = exists().where(
        col(Redemption.day_id) == col(RedemptionDay.id),
        col(Redemption.status) == RedemptionStatus.reserved,
    )
    query = (
        select(RedemptionDay)
        .where(RedemptionDay.state != DayState.draft, col(RedemptionDay.settled_at).is_(None))
        .where(col(RedemptionDay.ends_at) <= at, ~is_open)
        .order_by(col(RedemptionDay.ends_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).first()


async def absent(session: Session, day_id: UUID, limit: int) -> Sequence[UUID]:
    """Read people whose orders all ended uncollected, and who are not recorded as absent."""
    other = aliased(Redemption)
    collected = exists().where(
        col(other.day_id) == col(Redemption.day_id),
        col(other.person_id) == col(Redemption.person_id),
        col(other.status) == RedemptionStatus.collected,
        col(other.undone_at).is_(None),
    )
    recorded = exists().where(
        col(DayAbsence.day_id) == col(Redemption.day_id),
        col(DayAbsence.person_id) == col(Redemption.person_id),
    )
    query = (
        select(Redemption.person_id)
        .where(Redemption.day_id == day_id, Redemption.status == RedemptionStatus.expired)
        .where(~collected, ~recorded)
        .distinct()
        .order_by(col(Redemption.person_id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


async def of_people(
    session: Session, org_id: UUID, people: Collection[UUID], since: datetime
) -> Sequence[tuple[DayAbsence, RedemptionDay]]:
    """Read the absences of people at days of an organisation since a time, newest day first."""
    query = (
        select(DayAbsence, RedemptionDay)
        .join(RedemptionDay, col(RedemptionDay.id) == col(DayAbsence.day_id))
        .where(RedemptionDay.org_id == org_id, col(DayAbsence.person_id).in_(people))
        .where(col(RedemptionDay.starts_at) >= since)
        .order_by(col(RedemptionDay.starts_at).desc(), col(RedemptionDay.id).desc())
    )
    return (await session.exec(query)).all()


async def next_after(session: Session, day: RedemptionDay) -> UUID | None:
    """Find the first day of the same organisation after one, without drafts."""
    query = (
        select(RedemptionDay.id)
        .where(RedemptionDay.org_id == day.org_id, RedemptionDay.state != DayState.draft)
        .where(col(RedemptionDay.starts_at) > day.starts_at)
        .order_by(col(RedemptionDay.starts_at), col(RedemptionDay.id))
        .limit(1)
    )
    return (await session.exec(query)).first()


async def add(session: Session, day_id: UUID, person_id: UUID, *, skips_next: bool) -> bool:
    """Record an absence; False if it is recorded already."""
    row = insert(DayAbsence).values(day_id=day_id, person_id=person_id, skips_next=skips_next)
    statement = row.on_conflict_do_nothing().returning(col(DayAbsence.person_id))
    return (await session.execute(statement)).first() is not None
