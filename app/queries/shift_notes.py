"""SQL of hand-over notes."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.sessions import ActivitySession
from app.models.shift_notes import ShiftNote
from app.models.signups import Signup, SignupStatus


async def find(session: Session, shift_id: UUID) -> ShiftNote | None:
    return await session.get(ShiftNote, shift_id)


async def put(session: Session, note: ShiftNote) -> None:
    """Write the note of a shift, in place of the one that there is."""
    values = note.model_dump()
    row = insert(ShiftNote).values(values)
    statement = row.on_conflict_do_update(index_elements=["shift_id"], set_=values)
    await session.execute(statement)


async def next_shift(session: Session, shift: ActivitySession) -> ActivitySession | None:
    """Read the next shift of the same post."""
    place = tuple_(col(ActivitySession.starts_at), col(ActivitySession.number))
    query = (
        select(ActivitySession)
        .where(ActivitySession.post_id == shift.post_id)
        .where(place > (shift.starts_at, shift.number))
        .order_by(col(ActivitySession.starts_at), col(ActivitySession.number))
        .limit(1)
    )
    return (await session.exec(query)).first()


async def holds(
    session: Session, activity_id: UUID, numbers: Collection[int], person_id: UUID
) -> bool:
    """Whether a person has a place at one of these sessions."""
    query = select(Signup.id).where(
        Signup.activity_id == activity_id,
        col(Signup.session).in_(numbers),
        Signup.person_id == person_id,
        Signup.status == SignupStatus.confirmed,
    )
    return (await session.exec(query.limit(1))).first() is not None
