"""SQL of certificates, and of the hours that they certify."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_
from sqlmodel import col, select

from app.core.db import Session
from app.models.certificates import Certificate
from app.models.checkins import AttendedTime, Checkin
from app.models.ledger import Account, Purpose, Transfer
from app.models.sessions import ActivitySession
from app.queries import corrections


@dataclass(frozen=True, slots=True)
class Served:
    """Minutes of one transfer, negative if they were taken back; or an attended session."""

    at: datetime
    title: str
    minutes: int


async def add(session: Session, certificate: Certificate) -> None:
    session.add(certificate)
    await session.flush()


async def find(session: Session, certificate_id: UUID) -> Certificate | None:
    return await session.get(Certificate, certificate_id)


async def by_code(session: Session, code: str) -> Certificate | None:
    return (await session.exec(select(Certificate).where(Certificate.code == code))).first()


async def of_hours(
    session: Session, person: UUID, name: str, since: date, minutes: int
) -> Certificate | None:
    """Read the newest certificate of hours of a person that says the same."""
    query = (
        select(Certificate)
        .where(Certificate.person_id == person, col(Certificate.activity_id).is_(None))
        .where(Certificate.name == name, Certificate.since == since)
        .where(Certificate.minutes == minutes)
        .order_by(col(Certificate.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def page(
    session: Session, person: UUID, before: UUID | None, limit: int
) -> Sequence[Certificate]:
    """Read a person's certificates, newest first."""
    query = (
        select(Certificate)
        .where(Certificate.person_id == person)
        .order_by(col(Certificate.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Certificate.id) < before)
    return (await session.exec(query)).all()


async def not_over(session: Session, people: Sequence[UUID], at: datetime) -> list[UUID]:
    """Read the awards of people whose counted time ends after ``at``, also those begun since."""
    query = select(AttendedTime.award_id).where(col(AttendedTime.person_id).in_(people))
    query = query.where(func.upper(AttendedTime.during) > at)
    return list(await session.exec(query))


async def minutes(
    session: Session,
    person: UUID,
    unit: int,
    since: datetime,
    until: datetime,
    without: Sequence[UUID],
) -> int:
    """Sum the minutes of a person that were posted from ``since`` on and before ``until``.

    ``without``: transfers that do not count.
    """
    query = select(func.coalesce(func.sum(_signed()), 0)).select_from(Transfer)
    query = _of(query, person, unit, since, until)
    found = await session.exec(query.where(col(Transfer.id).not_in(without)))
    return int(found.one())


async def served(
    session: Session,
    person: UUID,
    unit: int,
    since: datetime,
    until: datetime,
    without: Sequence[UUID],
    limit: int,
) -> list[Served]:
    """Read the minutes one by one, oldest first. ``without``: as for ``minutes``."""
    query = select(Transfer.created_at, Transfer.reason, _signed()).select_from(Transfer)
    query = _of(query, person, unit, since, until).where(col(Transfer.id).not_in(without))
    rows = await session.exec(
        query.order_by(col(Transfer.created_at), col(Transfer.id)).limit(limit)
    )
    return [Served(at, title, int(signed)) for at, title, signed in rows]


async def attended(
    session: Session, activity: UUID, people: Sequence[UUID], limit: int | None = None
) -> list[Served]:
    """Read the sessions of an activity at which a person's accounts checked in, by start.

    What was annulled does not count.

    Without minutes; ``title`` is empty for a session without one.
    """
    came = select(Checkin.session).where(
        Checkin.activity_id == activity, col(Checkin.person_id).in_(people), corrections.stands()
    )
    query = (
        select(ActivitySession.starts_at, ActivitySession.title)
        .where(ActivitySession.activity_id == activity, col(ActivitySession.number).in_(came))
        .order_by(col(ActivitySession.starts_at), col(ActivitySession.number))
        .limit(limit)
    )
    return [Served(at, title or "", 0) for at, title in await session.exec(query)]


async def first_served(session: Session, person: UUID, unit: int) -> datetime | None:
    """Read when the first minutes of a person were posted."""
    account = _account(person, unit).scalar_subquery()
    query: Any = select(func.min(Transfer.created_at)).where(Transfer.to_account_id == account)
    found: datetime | None = (await session.exec(query)).one()
    return found


def _signed() -> Any:
    """Minutes into the account that ``_of`` joins, negative for those out of it."""
    return case(
        (col(Transfer.to_account_id) == Account.id, Transfer.amount), else_=-Transfer.amount
    )


def _account(person: UUID, unit: int) -> Any:
    return select(Account.id).where(
        Account.owner_id == person, Account.purpose == Purpose.available, Account.unit_id == unit
    )


def _of(query: Any, person: UUID, unit: int, since: datetime, until: datetime) -> Any:
    sides = or_(
        col(Transfer.from_account_id) == Account.id, col(Transfer.to_account_id) == Account.id
    )
    return (
        query.join(Account, sides)
        .where(Account.owner_id == person, Account.unit_id == unit)
        .where(Account.purpose == Purpose.available)
        .where(col(Transfer.created_at) >= since, col(Transfer.created_at) < until)
    )
