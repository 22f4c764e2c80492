"""SQL of the friends whom sign-ups bring along."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, or_, select

from app.core.db import Session
from app.models.checkins import Checkin
from app.models.signups import Signup, SignupStatus
from app.queries import corrections


class Host(NamedTuple):
    """A check-in that stands, and the sign-up that admitted the person; None: a walk-in."""

    activity_id: UUID
    person_id: UUID
    signup: Signup | None


async def host(session: Session, checkin_id: UUID) -> Host | None:
    """Lock the sign-up of a check-in; None if there is none, or an annulled one."""
    query = select(Checkin).where(Checkin.id == checkin_id, corrections.stands())
    checkin = (await session.exec(query)).first()
    if checkin is None:
        return None
    admitting = (
        select(Signup)
        .where(Signup.activity_id == checkin.activity_id, Signup.person_id == checkin.person_id)
        .where(or_(Signup.session == 0, Signup.session == checkin.session))
        .where(Signup.status == SignupStatus.confirmed)
        .order_by(col(Signup.session).desc())
        .limit(1)
        .with_for_update()
    )
    signup = (await session.exec(admitting)).first()
    return Host(checkin.activity_id, checkin.person_id, signup)


async def save(session: Session, signup: Signup) -> None:
    session.add(signup)
    await session.flush()


async def named(
    session: Session, activity_id: UUID, people: Sequence[UUID]
) -> dict[tuple[UUID, int], str]:
    """Read the names of friends, one a line, by person and session of the sign-up."""
    query = select(Signup.person_id, Signup.session, Signup.friend_names).where(
        Signup.activity_id == activity_id,
        col(Signup.person_id).in_(people),
        Signup.status == SignupStatus.confirmed,
        col(Signup.friend_names).is_not(None),
    )
    return {(one, number): names or "" for one, number, names in await session.exec(query)}
