"""SQL of swaps. Sign-ups are locked before sessions, in the order of their ids."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, text
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.posts import Post
from app.models.sessions import ActivitySession
from app.models.signups import Signup, SignupStatus
from app.models.swaps import Swap, SwapState
from app.queries.records import Query

# Of an offer without a place that is asked for in exchange the second start is null.
_RETIME = text("""
UPDATE swaps w SET expires_at = least(n.starts_at, (
    SELECT m.starts_at FROM signups s
    JOIN activity_sessions m ON m.activity_id = s.activity_id AND m.number = s.session
    WHERE s.id = w.with_signup_id))
FROM activity_sessions n
WHERE n.id = w.shift_id AND w.activity_id = :activity AND w.state = 'proposed'
""")


@dataclass(frozen=True, slots=True)
class Shift:
    """A session with a post, and with a title."""

    session: ActivitySession
    post_name: str


async def shift(session: Session, shift_id: UUID) -> Shift | None:
    """Read a shift; None for a session without a post."""
    query = (
        select(ActivitySession, Post.name)
        .join(Post, col(Post.id) == col(ActivitySession.post_id))
        .where(ActivitySession.id == shift_id)
    )
    found = (await session.exec(query)).first()
    return Shift(*found) if found else None


async def shifts_of(session: Session, signups: Collection[UUID]) -> dict[UUID, Shift]:
    """Read the shifts of sign-ups, by the ids of the sign-ups."""
    query = (
        select(Signup.id, ActivitySession, Post.name)
        .join(
            ActivitySession,
            (col(ActivitySession.activity_id) == col(Signup.activity_id))
            & (col(ActivitySession.number) == col(Signup.session)),
        )
        .join(Post, col(Post.id) == col(ActivitySession.post_id))
        .where(col(Signup.id).in_(signups))
    )
    return {id_: Shift(one, name) for id_, one, name in await session.exec(query)}


async def place(session: Session, one: ActivitySession, person_id: UUID) -> Signup | None:
    """Read a person's confirmed sign-up to a session."""
    query = select(Signup).where(
        Signup.activity_id == one.activity_id,
        Signup.session == one.number,
        Signup.person_id == person_id,
        Signup.status == SignupStatus.confirmed,
    )
    return (await session.exec(query)).first()


async def signup(session: Session, signup_id: UUID) -> Signup | None:
    return await session.get(Signup, signup_id)


async def lock_signups(session: Session, ids: Collection[UUID]) -> dict[UUID, Signup]:
    """Lock sign-ups in the order of their ids, and read them anew."""
    query = select(Signup).where(col(Signup.id).in_(ids)).order_by(col(Signup.id)).with_for_update()
    return {one.id: one for one in await session.exec(query)}


async def is_proposed(session: Session, signup_id: UUID) -> bool:
    """Whether the place of a sign-up is offered."""
    query = select(Swap.id).where(Swap.signup_id == signup_id, Swap.state == SwapState.proposed)
    return (await session.exec(query)).first() is not None


async def has_signup(
    session: Session, person_id: UUID, wanted: ActivitySession, but: Collection[UUID]
) -> bool:
    """Whether the person has another sign-up to a session, of any state but cancelled.

    ``but``: sign-ups that do not count.
    """
    query = select(Signup.id).where(
        Signup.activity_id == wanted.activity_id,
        Signup.session == wanted.number,
        Signup.person_id == person_id,
        Signup.status != SignupStatus.cancelled,
        col(Signup.id).not_in(but),
    )
    return (await session.exec(query)).first() is not None


async def has_place(session: Session, person_id: UUID, activity_id: UUID) -> bool:
    """Whether the person has a confirmed place at a session of an activity."""
    query = select(Signup.id).where(
        Signup.activity_id == activity_id,
        Signup.person_id == person_id,
        Signup.status == SignupStatus.confirmed,
    )
    return (await session.exec(query)).first() is not None


async def retime(session: Session, activity_id: UUID) -> None:
    """Let the offers of an activity end with the earlier of their shifts, as these are now."""
    await session.execute(_RETIME, {"activity": activity_id})


async def save_signups(session: Session, signups: Sequence[Signup]) -> None:
    session.add_all(signups)
    await session.flush()


async def others(session: Session, swap: Swap) -> Sequence[Swap]:
    """Lock the other offers under way that name one of the places of a swap.

    Not those that somebody is accepting: they will find the places taken.
    """
    places = [one for one in (swap.signup_id, swap.with_signup_id) if one is not None]
    query = select(Swap).where(
        Swap.state == SwapState.proposed,
        Swap.id != swap.id,
        or_(col(Swap.signup_id).in_(places), col(Swap.with_signup_id).in_(places)),
    )
    query = query.order_by(col(Swap.id)).with_for_update(skip_locked=True)
    return (await session.exec(query)).all()


async def due(session: Session, at: datetime, limit: int) -> Sequence[Swap]:
    """Lock offers that nobody may accept any more."""
    query = (
        select(Swap)
        .where(Swap.state == SwapState.proposed, Swap.expires_at <= at)
        .order_by(col(Swap.expires_at), col(Swap.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).all()


def of_person(person_id: UUID) -> Query[Swap]:
    """Select the offers that a person made, was asked by, or accepted."""
    mine = (Swap.created_by, Swap.asked_id, Swap.accepted_by)
    return select(Swap).where(or_(*(col(one) == person_id for one in mine)))


def open_ones(activity_id: UUID, at: datetime) -> Query[Swap]:
    """Select the offers of an activity that anybody may take."""
    return select(Swap).where(
        Swap.activity_id == activity_id,
        Swap.state == SwapState.proposed,
        col(Swap.asked_id).is_(None),
        Swap.expires_at > at,
    )


async def titles(session: Session, activities: Collection[UUID]) -> dict[UUID, str]:
    query = select(Activity.id, Activity.title).where(col(Activity.id).in_(activities))
    return dict((await session.exec(query)).all())


async def sessions(session: Session, ids: Collection[UUID]) -> dict[UUID, Shift]:
    """Read shifts by their ids."""
    query = (
        select(ActivitySession, Post.name)
        .join(Post, col(Post.id) == col(ActivitySession.post_id))
        .where(col(ActivitySession.id).in_(ids))
    )
    return {one.id: Shift(one, name) for one, name in await session.exec(query)}
