"""SQL of posts and of who holds their shifts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import Session
from app.models.people import Person
from app.models.posts import Post
from app.models.sessions import ActivitySession
from app.models.signups import Signup, SignupStatus


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a place at a session."""

    session: int
    signup_id: UUID
    person_id: UUID
    display_name: str


async def of_activity(session: Session, activity_id: UUID) -> Sequence[Post]:
    """Read the posts of an activity, in the order in which they were made."""
    query = select(Post).where(Post.activity_id == activity_id).order_by(col(Post.id))
    return (await session.exec(query)).all()


async def lock(session: Session, activity_id: UUID, post_id: UUID) -> Post | None:
    """Lock a post of a locked activity."""
    query = select(Post).where(Post.id == post_id, Post.activity_id == activity_id)
    return (await session.exec(query.with_for_update())).first()


async def save(session: Session, post: Post) -> None:
    session.add(post)
    await session.flush()


async def delete(session: Session, post: Post) -> None:
    await session.delete(post)
    await session.flush()


async def shifts(session: Session, post_id: UUID) -> int:
    """Count the shifts of a post."""
    query = select(func.count()).where(ActivitySession.post_id == post_id)
    return (await session.exec(query)).one()


async def shifts_between(
    session: Session, activity_id: UUID, since: datetime, until: datetime
) -> Sequence[ActivitySession]:
    """Read the shifts that begin from ``since`` on and before ``until``, by start."""
    query = (
        select(ActivitySession)
        .where(
            ActivitySession.activity_id == activity_id,
            col(ActivitySession.post_id).is_not(None),
            ActivitySession.starts_at >= since,
            ActivitySession.starts_at < until,
        )
        .order_by(col(ActivitySession.starts_at), col(ActivitySession.number))
    )
    return (await session.exec(query)).all()


async def holders(session: Session, activity_id: UUID, numbers: Sequence[int]) -> Sequence[Holder]:
    """Read who has a place at these sessions, by name."""
    query = (
        select(Signup.session, Signup.id, Signup.person_id, Person.display_name)
        .join(Person, col(Person.id) == col(Signup.person_id))
        .where(
            Signup.activity_id == activity_id,
            col(Signup.session).in_(numbers),
            Signup.status == SignupStatus.confirmed,
        )
        .order_by(col(Person.display_name), col(Person.id))
    )
    return [Holder(*row) for row in await session.exec(query)]


async def has_shift(session: Session, activity_id: UUID, person_id: UUID) -> bool:
    """Whether a person has a place at a shift of the activity."""
    query = (
        select(Signup.id)
        .join(
            ActivitySession,
            (col(ActivitySession.activity_id) == col(Signup.activity_id))
            & (col(ActivitySession.number) == col(Signup.session)),
        )
        .where(Signup.activity_id == activity_id, Signup.person_id == person_id)
        .where(Signup.status == SignupStatus.confirmed, col(ActivitySession.post_id).is_not(None))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None
