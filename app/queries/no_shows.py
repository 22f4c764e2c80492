"""SQL of no-shows: places at activities that are over, of people who did not come."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.orm import aliased
from sqlmodel import col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.db import Session
from app.models.activities import Activity, ActivityStatus
from app.models.checkins import Checkin
from app.models.no_shows import NoShow
from app.models.people import Person
from app.models.sessions import ActivitySession
from app.models.signups import Signup, SignupStatus

HELD = (ActivityStatus.published, ActivityStatus.closed)


class Missed(NamedTuple):
    """A place that was not used. ``starts_at``: of the session, or of the activity."""

    signup_id: UUID
    person_id: UUID
    activity_id: UUID
    session: int
    starts_at: datetime


async def unsettled(
    session: Session, ended_before: datetime, skipped: Collection[UUID]
) -> Activity | None:
    """Read an activity that is over and whose no-shows are not settled yet, the earliest."""
    query = (
        select(Activity)
        .where(col(Activity.counts_no_shows), col(Activity.no_shows_settled_at).is_(None))
        .where(Activity.ends_at < ended_before, col(Activity.status).in_(HELD))
        .where(col(Activity.id).not_in(skipped))
        .order_by(col(Activity.ends_at), col(Activity.id))
        .limit(1)
    )
    return (await session.exec(query)).first()


async def missed(
    session: Session, activity: Activity, cancels_before: timedelta, limit: int
) -> Sequence[Missed]:
    """Read places of an activity that were not used, without those that are settled.

    A session counts for who signed up before it began. A place that was given to who waited for it
    counts if they could give it back: until ``cancels_before`` the start. Of a session at which
    nobody was checked in nothing is known: it counts for nobody. Neither does the place of whose
    account is gone.
    """
    came = select(Checkin.id).where(
        Checkin.activity_id == Signup.activity_id,
        Checkin.person_id == Signup.person_id,
        or_(Signup.session == 0, Checkin.session == Signup.session),
    )
    ahead, anybody = _ahead(activity)
    settled = select(NoShow.signup_id).where(NoShow.signup_id == Signup.id)
    n = ActivitySession
    begins = func.coalesce(n.starts_at, activity.starts_at)
    in_time = or_(col(Signup.given_at).is_(None), Signup.given_at < begins - cancels_before)
    query = (
        select(Signup, n.starts_at)
        .join(Person, col(Person.id) == col(Signup.person_id))
        .outerjoin(
            n,
            (col(n.activity_id) == col(Signup.activity_id))
            & (col(n.number) == col(Signup.session)),
        )
        .where(Signup.activity_id == activity.id, Signup.status == SignupStatus.confirmed)
        .where(col(Person.erased_at).is_(None), col(Person.merged_into_id).is_(None))
        .where(in_time, ahead, ~came.exists(), anybody.exists(), ~settled.exists())
        .order_by(col(Signup.id))
        .limit(limit)
    )
    return [
        Missed(one.id, one.person_id, one.activity_id, one.session, starts_at or activity.starts_at)
        for one, starts_at in await session.exec(query)
    ]


def _ahead(activity: Activity) -> tuple[ColumnElement[bool], SelectOfScalar[UUID]]:
    """Return whether a session of a sign-up began after it, and the check-ins at those sessions.

    A session that was dropped began at no time.
    """
    anybody = select(Checkin.id).where(Checkin.activity_id == Signup.activity_id)
    if not activity.sessions:
        is_ahead = (col(Signup.session) == 0) & (col(Signup.created_at) < activity.starts_at)
        return is_ahead, anybody
    later = aliased(ActivitySession)
    numbers = select(later.number).where(
        later.activity_id == Signup.activity_id,
        later.starts_at > Signup.created_at,
        or_(Signup.session == 0, later.number == Signup.session),
    )
    return numbers.exists(), anybody.where(col(Checkin.session).in_(numbers.correlate(Signup)))


async def settle(session: Session, activity_id: UUID, at: datetime) -> None:
    """Note that the no-shows of an activity are settled."""
    done = update(Activity).where(col(Activity.id) == activity_id)
    await session.execute(done.values(no_shows_settled_at=at))


async def lock_place(session: Session, signup_id: UUID) -> bool:
    """Lock a place; False if it is settled already, or none any more."""
    query = select(Signup.id).where(
        Signup.id == signup_id,
        Signup.status == SignupStatus.confirmed,
        ~select(NoShow.signup_id).where(NoShow.signup_id == Signup.id).exists(),
    )
    return (await session.exec(query.with_for_update(of=Signup))).first() is not None


async def add(session: Session, no_show: NoShow) -> None:
    session.add(no_show)
    await session.flush()
