"""SQL of monthly partitions: calls of the two functions of the schema's owner."""

from datetime import datetime

from sqlalchemy import func
from sqlmodel import select

from app.core.db import Session


async def make(session: Session, parent: str, ahead: int) -> int:
    """Make the partitions of this month and the next ``ahead``; return how many were missing.

    Raises LockTimeout after 0.1 s.
    """
    made: int = (await session.exec(select(func.make_partitions(parent, ahead)))).one()
    return made


async def drop(session: Session, parent: str, at: datetime, months: int) -> str | None:
    """Drop the oldest partition that ended ``months`` before ``at``; return its name.

    Of the outbox, one without a message that waits. Raises LockTimeout after 0.1 s.
    """
    query = select(func.drop_partition(parent, at, months))
    dropped: str | None = (await session.exec(query)).one()
    return dropped
