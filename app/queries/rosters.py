"""SQL of rosters: who has a confirmed place at a session of an activity."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from app.core.db import Session
from app.models.activities import Activity, SignupFor
from app.models.cards import Card
from app.models.people import Person
from app.models.signups import Signup, SignupStatus

Place = tuple[UUID, int, str]


def _confirmed(activity: Activity, session_number: int) -> Select[UUID, int, str]:
    """Select sign-up, serial of the card and name of each confirmed place of a session."""
    place = session_number if activity.signup_for == SignupFor.session else 0
    return (
        select(Signup.id, Card.serial, Person.display_name)
        .join(Card, col(Card.person_id) == col(Signup.person_id))
        .join(Person, col(Person.id) == col(Signup.person_id))
        .where(Signup.activity_id == activity.id, Signup.status == SignupStatus.confirmed)
        .where(Signup.session == place)
    )


async def places(
    session: Session, activity: Activity, session_number: int, limit: int
) -> Sequence[Place]:
    """Read the confirmed places of a session, in the order of the sign-ups."""
    query = _confirmed(activity, session_number).order_by(col(Signup.id)).limit(limit)
    return (await session.exec(query)).all()


async def card_of(
    session: Session, activity: Activity, session_number: int, person: UUID
) -> int | None:
    """Read the serial of the card of a person who has a confirmed place; None without one."""
    query = _confirmed(activity, session_number).where(Signup.person_id == person)
    found = (await session.exec(query)).first()
    return found[1] if found else None
