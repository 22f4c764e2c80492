"""SQL of children and of who may fetch them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.checkouts import Checkout, Departure
from app.models.children import Child, Pickup
from app.models.corrections import Correction
from app.models.handovers import Handover
from app.models.people import Person
from app.queries import cards


async def add(session: Session, person: Person, child: Child) -> None:
    """Insert the child's person, with a card, and the child."""
    session.add(person)
    await session.flush()
    await cards.add(session, person.id)
    session.add(child)
    await session.flush()


async def of_guardian(session: Session, guardian: UUID) -> Sequence[tuple[Child, Person]]:
    """Read the children of a guardian, in the order in which they were entered."""
    query = select(Child, Person).join(Person, col(Person.id) == col(Child.person_id))
    query = query.where(Child.guardian_id == guardian).order_by(col(Child.person_id))
    return (await session.exec(query)).all()


async def find(session: Session, child: UUID) -> Child | None:
    return await session.get(Child, child)


async def lock(session: Session, child: UUID) -> Child | None:
    """Lock a child: what the guardian changes and a hand-over wait for each other."""
    query = select(Child).where(Child.person_id == child).with_for_update()
    return (await session.exec(query)).first()


async def save(session: Session, child: Child) -> None:
    session.add(child)
    await session.flush()


async def remove(session: Session, child: UUID) -> None:
    """Delete a child with the people who may fetch it and their codes."""
    await session.execute(delete(Child).where(col(Child.person_id) == child))


async def is_inside(session: Session, child: UUID, since: datetime) -> bool:
    """Whether a child came to a class after ``since``, and has not left.

    That the job checked it out as forgotten does not say that it has left; a correction does.
    """
    corrected = select(Correction.id).where(Correction.checkin_id == Checkin.id)
    left = (col(Checkout.checkin_id) == col(Checkin.id)) & (
        col(Checkout.departure) != Departure.forgotten
    )
    query = (
        select(Checkin.id)
        .join(Activity, col(Activity.id) == col(Checkin.activity_id))
        .outerjoin(Handover, col(Handover.checkin_id) == col(Checkin.id))
        .outerjoin(Checkout, left)
        .where(Checkin.person_id == child, col(Activity.for_minors))
        .where(Checkin.checked_in_at > since, ~corrected.exists())
        .where(col(Handover.id).is_(None), col(Checkout.id).is_(None))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def give_to(session: Session, guardian: UUID, kept: UUID) -> None:
    """Give the children of an account to the account that keeps what it had."""
    mine = update(Child).where(col(Child.guardian_id) == guardian)
    await session.execute(mine.values(guardian_id=kept))


async def guardians(session: Session, people: Sequence[UUID]) -> dict[UUID, UUID]:
    """Read the guardians of those of the people who are children, by child."""
    query = select(Child.person_id, Child.guardian_id).where(col(Child.person_id).in_(people))
    return dict((await session.exec(query)).all())


async def of_guardians(session: Session, people: Sequence[UUID]) -> Sequence[UUID]:
    """Read the children of people."""
    query = select(Child.person_id).where(col(Child.guardian_id).in_(people))
    return (await session.exec(query.order_by(col(Child.person_id)))).all()


async def pickups(session: Session, children: Sequence[UUID]) -> dict[UUID, list[Pickup]]:
    """Read who may fetch children, by child, in the order in which they were named."""
    query = select(Pickup).where(col(Pickup.child_id).in_(children)).order_by(col(Pickup.id))
    found: dict[UUID, list[Pickup]] = {}
    for one in await session.exec(query):
        found.setdefault(one.child_id, []).append(one)
    return found


async def add_pickup(session: Session, pickup: Pickup) -> None:
    session.add(pickup)
    await session.flush()


async def pickup(session: Session, child: UUID, pickup_id: UUID) -> Pickup | None:
    query = select(Pickup).where(Pickup.id == pickup_id, Pickup.child_id == child)
    return (await session.exec(query)).first()


async def remove_pickup(session: Session, child: UUID, pickup_id: UUID) -> bool:
    """Delete somebody who may fetch a child, with the codes; False if there is no such row."""
    named = delete(Pickup).where(col(Pickup.id) == pickup_id, col(Pickup.child_id) == child)
    return (await session.execute(named.returning(col(Pickup.id)))).first() is not None
