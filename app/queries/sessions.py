"""SQL of sessions of activities."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, case, func, tuple_
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.sessions import ActivitySession
from app.models.signups import Signup, SignupStatus
from app.queries import corrections

Times = tuple[datetime, datetime]


async def insert(session: Session, made: Sequence[ActivitySession]) -> None:
    session.add_all(made)
    await session.flush()
    for one in made:
        await session.refresh(one)


async def find(session: Session, session_id: UUID) -> ActivitySession | None:
    return await session.get(ActivitySession, session_id)


async def numbered(session: Session, activity_id: UUID, number: int) -> ActivitySession | None:
    query = select(ActivitySession).where(
        ActivitySession.activity_id == activity_id, ActivitySession.number == number
    )
    return (await session.exec(query)).first()


async def lock(session: Session, activity_id: UUID, number: int) -> ActivitySession | None:
    """Lock a session of a locked activity."""
    query = select(ActivitySession).where(
        ActivitySession.activity_id == activity_id, ActivitySession.number == number
    )
    return (await session.exec(query.with_for_update())).first()


async def next_number(
    session: Session, activity: Activity, ends_after: datetime, person: UUID | None
) -> int:
    """Read the number of the first session that ends later, of the last one if none does.

    Where people sign up for single sessions, one for which the person has a place comes
    first. 0 of an activity without sessions.
    """
    n = ActivitySession
    has_place = select(Signup.id).where(
        Signup.activity_id == n.activity_id,
        Signup.session == n.number,
        Signup.person_id == person,
        Signup.status == SignupStatus.confirmed,
    )
    to_come = col(n.ends_at) > ends_after
    query = (
        select(n.number)
        .where(n.activity_id == activity.id)
        .order_by(
            and_(to_come, has_place.exists()).desc(),
            to_come.desc(),
            case((to_come, col(n.starts_at))),
            col(n.starts_at).desc(),
            col(n.number),
        )
        .limit(1)
    )
    return (await session.exec(query)).first() or 0


async def save(session: Session, one: ActivitySession) -> None:
    """Write the changed columns of a locked session."""
    session.add(one)
    await session.flush()


async def reread(session: Session, activity: Activity, one: ActivitySession) -> None:
    """Read a locked activity and its session anew, after their counters were written by SQL."""
    await session.refresh(activity)
    await session.refresh(one)


async def delete(session: Session, one: ActivitySession) -> None:
    await session.delete(one)
    await session.flush()


async def span(session: Session, activity_id: UUID) -> Times | None:
    """Return the first start and the last end; None without sessions."""
    query = select(func.min(ActivitySession.starts_at), func.max(ActivitySession.ends_at)).where(
        ActivitySession.activity_id == activity_id
    )
    first, last = (await session.exec(query)).one()
    return (first, last) if first else None


async def of_activity(
    session: Session,
    activity_id: UUID,
    *,
    post_id: UUID | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int | None = None,
) -> Sequence[ActivitySession]:
    """Read sessions by start and number, those after a place in this order."""
    query = select(ActivitySession).where(ActivitySession.activity_id == activity_id)
    if post_id is not None:
        query = query.where(ActivitySession.post_id == post_id)
    if after is not None:
        place = tuple_(col(ActivitySession.starts_at), col(ActivitySession.number))
        query = query.where(place > after)
    query = query.order_by(col(ActivitySession.starts_at), col(ActivitySession.number))
    return (await session.exec(query.limit(limit))).all()


async def signups(session: Session, activity_id: UUID, number: int | None = None) -> int:
    """Count the sign-ups that are not cancelled, to an activity or to one of its sessions."""
    query = select(func.count()).where(
        Signup.activity_id == activity_id, Signup.status != SignupStatus.cancelled
    )
    if number is not None:
        query = query.where(Signup.session == number)
    return (await session.exec(query)).one()


async def people(session: Session, activity_id: UUID, numbers: Collection[int]) -> list[UUID]:
    """Read who has signed up for one of these sessions (0: for the activity as a whole)."""
    query = (
        select(Signup.person_id)
        .where(Signup.activity_id == activity_id, col(Signup.session).in_(numbers))
        .where(Signup.status != SignupStatus.cancelled)
        .distinct()
    )
    return list(await session.exec(query))


async def attended(session: Session, activity: Activity, family: Collection[UUID]) -> int:
    """Count the sessions at which one of a person's accounts checked in, without annulled ones."""
    query = select(func.count(func.distinct(Checkin.session))).where(
        Checkin.activity_id == activity.id,
        col(Checkin.person_id).in_(family),
        Checkin.session > 0,
        corrections.stands(),
    )
    return (await session.exec(query)).one()
