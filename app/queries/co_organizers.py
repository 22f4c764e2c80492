"""SQL of co-organizers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.co_organizers import CoOrganizer
from app.models.people import Person
from app.queries.people import is_active


@dataclass(frozen=True, slots=True)
class NamedCoOrganizer:
    id: UUID
    activity_id: UUID
    person_id: UUID
    display_name: str
    created_by: UUID
    created_at: datetime


async def is_one(session: Session, activity_id: UUID, person_id: UUID) -> bool:
    """Whether the person co-organizes the activity. Nobody who is suspended does."""
    query = (
        select(CoOrganizer.id)
        .join(Person, col(Person.id) == col(CoOrganizer.person_id))
        .where(CoOrganizer.activity_id == activity_id, CoOrganizer.person_id == person_id)
        .where(is_active())
    )
    return (await session.exec(query)).first() is not None


async def of_activity(session: Session, activity_id: UUID) -> list[NamedCoOrganizer]:
    """Read the co-organizers of an activity, in the order in which they were added."""
    query = (
        select(CoOrganizer, Person.display_name)
        .join(Person, col(Person.id) == col(CoOrganizer.person_id))
        .where(CoOrganizer.activity_id == activity_id)
        .order_by(col(CoOrganizer.id))
    )
    return [
        NamedCoOrganizer(
            one.id, one.activity_id, one.person_id, name, one.created_by, one.created_at
        )
        for one, name in await session.exec(query)
    ]


async def of_people(session: Session, people: Sequence[UUID]) -> Sequence[CoOrganizer]:
    """Read what people co-organize."""
    query = select(CoOrganizer).where(col(CoOrganizer.person_id).in_(people))
    return (await session.exec(query.order_by(col(CoOrganizer.id)))).all()


async def delete(session: Session, co_organizer: CoOrganizer) -> None:
    await session.delete(co_organizer)
    await session.flush()
