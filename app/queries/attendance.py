"""SQL of attendance: the sign-ups and check-ins of an activity with their people."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, true
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from app.core.db import Session
from app.models.awards import Award, AwardState
from app.models.cards import Card
from app.models.checkins import Checkin
from app.models.checkouts import Checkout
from app.models.corrections import Correction
from app.models.people import Person
from app.models.signups import Signup, SignupStatus

Participant = tuple[Signup, str, int, int | None]
Attendee = tuple[Checkin, str, int, Award | None]

# Written into the statement: with a parameter the partial indexes would not be used.
CANCELLED = literal(SignupStatus.cancelled.value, literal_execute=True)


@dataclass(frozen=True, slots=True)
class AttendanceFilter:
    """People with ``q`` in the name; with this serial of the card."""

    q: str | None = None
    serial: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = []
        if self.q is not None:
            found.append(col(Person.display_name).contains(self.q, autoescape=True))
        if self.serial is not None:
            found.append(col(Card.serial) == self.serial)
        return found


async def signups(
    session: Session,
    activity_id: UUID,
    wanted: AttendanceFilter,
    status: SignupStatus | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Participant]:
    """Read sign-ups in their order: with name, serial of the card, place in the waiting list.

    ``status``: None: those that are not cancelled.
    """
    queue = (
        select(
            Signup.id,
            func.row_number()
            .over(partition_by=col(Signup.session), order_by=col(Signup.queue_number))
            .label("position"),
        )
        .where(Signup.activity_id == activity_id, Signup.status == SignupStatus.waitlisted)
        .subquery()
    )
    position: ColumnElement[int | None] = queue.c.position
    query = (
        select(Signup, Person.display_name, Card.serial, position)
        .join(Person, col(Person.id) == col(Signup.person_id))
        .join(Card, col(Card.person_id) == col(Signup.person_id))
        .outerjoin(queue, queue.c.id == col(Signup.id))
        .where(Signup.activity_id == activity_id, *wanted.conditions())
        .order_by(col(Signup.id))
        .limit(limit)
    )
    if status is SignupStatus.cancelled:
        query = query.where(col(Signup.status) == CANCELLED)
    else:
        query = query.where(col(Signup.status) != CANCELLED)
        query = query.where(Signup.status == status) if status is not None else query
    if after is not None:
        query = query.where(col(Signup.id) > after)
    return (await session.exec(query)).all()


async def first_checkins(
    session: Session, activity_id: UUID, people: Collection[UUID]
) -> dict[UUID, datetime]:
    """Read when people first checked in at an activity, by person."""
    query = (
        select(Checkin.person_id, func.min(Checkin.checked_in_at))
        .where(Checkin.activity_id == activity_id, col(Checkin.person_id).in_(people))
        .group_by(col(Checkin.person_id))
    )
    return dict((await session.exec(query)).all())


async def checkins(
    session: Session,
    activity_id: UUID,
    wanted: AttendanceFilter,
    state: AwardState | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Attendee]:
    """Read check-ins in their order: with name, serial of the card, the award that holds."""
    latest = select(Correction).where(Correction.checkin_id == col(Checkin.id))
    latest = latest.order_by(col(Correction.number).desc()).limit(1)
    corrected = aliased(Correction, latest.correlate(Checkin).lateral())
    paid = func.coalesce(col(Checkout.award_id), col(Checkin.award_id))
    holds = case((col(corrected.id).is_not(None), corrected.award_id), else_=paid)
    query = (
        select(Checkin, Person.display_name, Card.serial, Award)
        .join(Person, col(Person.id) == col(Checkin.person_id))
        .join(Card, col(Card.person_id) == col(Checkin.person_id))
        .outerjoin(Checkout, col(Checkout.checkin_id) == col(Checkin.id))
        .outerjoin(corrected, true())
        .outerjoin(Award, col(Award.id) == holds)
        .where(Checkin.activity_id == activity_id, *wanted.conditions())
        .order_by(col(Checkin.id))
        .limit(limit)
    )
    if state is not None:
        query = query.where(Award.state == state)
    if after is not None:
        query = query.where(col(Checkin.id) > after)
    return (await session.exec(query)).all()


async def checkouts(session: Session, checkins: Collection[UUID]) -> dict[UUID, Checkout]:
    """Read the check-outs of check-ins, by check-in."""
    query = select(Checkout).where(col(Checkout.checkin_id).in_(checkins))
    return {one.checkin_id: one for one in await session.exec(query)}


async def corrections(session: Session, checkins: Collection[UUID]) -> dict[UUID, Correction]:
    """Read the latest corrections of check-ins, by check-in."""
    query = select(Correction).where(col(Correction.checkin_id).in_(checkins))
    return {
        one.checkin_id: one for one in await session.exec(query.order_by(col(Correction.number)))
    }
