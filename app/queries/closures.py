"""SQL of closures."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select

from app.core.db import Session
from app.models.closures import Closure
from app.models.people import Person


async def find(session: Session, person: UUID) -> Closure | None:
    return await session.get(Closure, person)


async def lock(session: Session, person: UUID) -> Closure | None:
    """Lock a closure, which the job would lock too."""
    query = select(Closure).where(Closure.person_id == person).with_for_update()
    return (await session.exec(query)).first()


async def lock_person(session: Session, person: UUID) -> Person | None:
    """Lock a person, so that one closure is asked for at a time."""
    query = select(Person).where(Person.id == person).with_for_update()
    return (await session.exec(query)).first()


async def save(session: Session, closure: Closure) -> None:
    session.add(closure)
    await session.flush()


async def remove(session: Session, closure: Closure) -> None:
    await session.delete(closure)
    await session.flush()


async def due(session: Session, at: datetime, sweep_after: timedelta, limit: int) -> Sequence[UUID]:
    """Read whose closures are to be carried out or swept, the oldest first."""
    query = select(Closure.person_id).where(*_is_due(at, sweep_after))
    query = query.order_by(col(Closure.due_at), col(Closure.person_id)).limit(limit)
    return (await session.exec(query)).all()


async def lock_due(
    session: Session, person: UUID, at: datetime, sweep_after: timedelta
) -> Closure | None:
    """Lock a closure that is due; None if another worker has locked or done it."""
    query = select(Closure).where(Closure.person_id == person, *_is_due(at, sweep_after))
    return (await session.exec(query.with_for_update(skip_locked=True))).first()


def _is_due(at: datetime, sweep_after: timedelta) -> tuple[ColumnElement[bool], ...]:
    erased = or_(col(Closure.erased_at).is_(None), col(Closure.erased_at) <= at - sweep_after)
    return col(Closure.swept_at).is_(None), col(Closure.due_at) <= at, erased
