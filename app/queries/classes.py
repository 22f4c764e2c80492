"""SQL of classes: the children who signed up, who came to a session and who fetched them."""

from collections.abc import Sequence
from typing import cast as cast_to
from uuid import UUID

from sqlalchemy import Integer, and_, cast, func, select
from sqlmodel import col

from app.core.db import Session
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.checkouts import Checkout
from app.models.children import Child
from app.models.handovers import Handover
from app.models.people import Person
from app.models.sessions import ActivitySession
from app.models.signups import Signup, SignupStatus
from app.queries import corrections

Row = tuple[Signup, Person, Child | None, Checkin | None, Checkout | None, Handover | None]


async def page(
    session: Session, activity: UUID, number: int, after: UUID | None, limit: int
) -> Sequence[Row]:
    """Read the sign-ups that stand, in their order, with what happened at a session.

    A check-in that was annulled did not happen.
    """
    came = and_(
        col(Checkin.activity_id) == activity,
        col(Checkin.session) == number,
        col(Checkin.person_id) == col(Signup.person_id),
        corrections.stands(),
    )
    query = (
        select(Signup, Person, Child, Checkin, Checkout, Handover)
        .join(Person, col(Person.id) == col(Signup.person_id))
        .outerjoin(Child, col(Child.person_id) == col(Signup.person_id))
        .outerjoin(Checkin, came)
        .outerjoin(Checkout, col(Checkout.checkin_id) == col(Checkin.id))
        .outerjoin(Handover, col(Handover.checkin_id) == col(Checkin.id))
        .where(col(Signup.activity_id) == activity, col(Signup.session).in_((0, number)))
        .where(col(Signup.status) != SignupStatus.cancelled)
        .order_by(col(Signup.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(Signup.id) > after)
    return [cast_to("Row", tuple(row)) for row in await session.execute(query)]


async def figures(session: Session, activity: UUID) -> tuple[int, ...]:
    """Count children who signed up, who came, their presences, hand-overs, minutes of lessons.

    Check-ins that were annulled do not count. A presence counts the lesson's planned length.
    """
    signups = select(func.count(col(Signup.person_id).distinct())).where(
        col(Signup.activity_id) == activity, col(Signup.status) == SignupStatus.confirmed
    )
    length = func.coalesce(
        col(ActivitySession.ends_at) - col(ActivitySession.starts_at),
        col(Activity.ends_at) - col(Activity.starts_at),
    )
    minutes = cast(func.extract("epoch", func.sum(length)) / 60, Integer)
    came = (
        select(
            func.count(col(Checkin.person_id).distinct()),
            func.count(col(Checkin.id)),
            func.count(col(Handover.id)),
            func.coalesce(minutes, 0),
        )
        .join(Activity, col(Activity.id) == col(Checkin.activity_id))
        .outerjoin(
            ActivitySession,
            and_(
                col(ActivitySession.activity_id) == col(Checkin.activity_id),
                col(ActivitySession.number) == col(Checkin.session),
            ),
        )
        .outerjoin(Handover, col(Handover.checkin_id) == col(Checkin.id))
        .where(col(Checkin.activity_id) == activity, corrections.stands())
    )
    signed_up = (await session.execute(signups)).scalar_one()
    row = (await session.execute(came)).one()
    return (signed_up, *row)
