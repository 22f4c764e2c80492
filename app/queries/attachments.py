"""SQL of attachments."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.db import Session
from app.models.attachments import Attachment, AttachmentState


def of_subject(
    subject_type: str, subject_id: UUID, *, viewer: UUID | None, hidden_too: bool
) -> SelectOfScalar[Attachment]:
    """Select the attachments of a subject: the ready ones and the viewer's, or all."""
    query = select(Attachment).where(
        Attachment.subject_type == subject_type, Attachment.subject_id == subject_id
    )
    if hidden_too:
        return query
    return query.where(
        or_(Attachment.state == AttachmentState.ready, Attachment.created_by == viewer)
    )


async def count(session: Session, subject_type: str, subject_id: UUID) -> int:
    query = select(func.count()).select_from(
        of_subject(subject_type, subject_id, viewer=None, hidden_too=True).subquery()
    )
    return (await session.exec(query)).one()


async def newest_of(session: Session, subject_type: str, subject_id: UUID) -> UUID | None:
    """Read the id of the newest attachment of a subject whose bytes are kept."""
    query = (
        select(Attachment.id)
        .where(Attachment.subject_type == subject_type, Attachment.subject_id == subject_id)
        .where(Attachment.state != AttachmentState.blocked)
        .order_by(col(Attachment.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def lock_of(session: Session, *subjects: tuple[str, UUID]) -> Sequence[Attachment]:
    """Lock the attachments of subjects, in the order of their ids."""
    query = (
        select(Attachment)
        .where(tuple_(col(Attachment.subject_type), col(Attachment.subject_id)).in_(subjects))
        .order_by(col(Attachment.id))
        .with_for_update()
    )
    return (await session.exec(query)).all()


async def insert_into_slot(session: Session, attachment: Attachment, most: int) -> bool:
    """Insert an attachment into the first free slot of its subject; False if there is none.

    A concurrent insert into the same slot waits for the first, and then tries the next slot.
    """
    taken: Any = select(Attachment.slot).where(
        Attachment.subject_type == attachment.subject_type,
        Attachment.subject_id == attachment.subject_id,
    )
    tried: set[int] = set()
    while free := set(range(1, most + 1)) - tried - set(await session.exec(taken)):
        attachment.slot = min(free)
        made = await session.execute(
            insert(Attachment)
            .values(**attachment.model_dump())
            .on_conflict_do_nothing(index_elements=["subject_type", "subject_id", "slot"])
            .returning(col(Attachment.id))
        )
        if made.first() is not None:
            return True
        tried.add(attachment.slot)
    return False


async def lock_by_trace(session: Session, trace_id: str) -> Attachment | None:
    """Lock the picture of one of WeChat's checks."""
    query = select(Attachment).where(Attachment.trace_id == trace_id).with_for_update()
    return (await session.exec(query)).first()


async def lock_overdue(session: Session, before: datetime, limit: int) -> list[Attachment]:
    """Lock pictures whose check was requested before a moment and has no result."""
    query = (
        select(Attachment)
        .where(Attachment.state == AttachmentState.checking, col(Attachment.asked_at) < before)
        .order_by(col(Attachment.asked_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await session.exec(query))


async def delete(session: Session, attachment: Attachment) -> None:
    await session.delete(attachment)
    await session.flush()


async def existing(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return which of the ids are attachments whose bytes are kept."""
    query: Any = select(Attachment.id).where(
        col(Attachment.id).in_(ids), Attachment.state != AttachmentState.blocked
    )
    return set(await session.exec(query))
