"""SQL of quests, their checkpoints and who has a part in them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.quests import Quest, QuestCheckpoint, QuestOrganizer


async def checkpoints(session: Session, quest_id: UUID) -> Sequence[QuestCheckpoint]:
    """Read the checkpoints of a quest in their order."""
    query = select(QuestCheckpoint).where(QuestCheckpoint.quest_id == quest_id)
    return (await session.exec(query.order_by(col(QuestCheckpoint.number)))).all()


async def checkpoint(session: Session, quest_id: UUID, number: int) -> QuestCheckpoint | None:
    query = select(QuestCheckpoint).where(
        QuestCheckpoint.quest_id == quest_id, QuestCheckpoint.number == number
    )
    return (await session.exec(query)).first()


async def replace_checkpoints(
    session: Session, quest_id: UUID, rows: Sequence[Mapping[str, Any]]
) -> Sequence[QuestCheckpoint]:
    """Give a draft other checkpoints, with new serials; return them in their order."""
    gone = delete(QuestCheckpoint).where(col(QuestCheckpoint.quest_id) == quest_id)
    await session.execute(gone)
    session.add_all(QuestCheckpoint(quest_id=quest_id, **row) for row in rows)
    await session.flush()
    return await checkpoints(session, quest_id)


async def save(session: Session, checkpoint: QuestCheckpoint) -> None:
    """Update the changed columns of a checkpoint whose quest is locked."""
    session.add(checkpoint)
    await session.flush()


async def by_serial(session: Session, serial: int) -> tuple[QuestCheckpoint, Quest] | None:
    """Read the checkpoint that a poster names, and its quest."""
    query = (
        select(QuestCheckpoint, Quest)
        .join(Quest, col(Quest.id) == col(QuestCheckpoint.quest_id))
        .where(QuestCheckpoint.serial == serial)
    )
    return (await session.exec(query)).first()


async def note_organizer(session: Session, quest_id: UUID, person_id: UUID) -> bool:
    """Note that a person has a part in a quest; False if it is known already."""
    row = insert(QuestOrganizer).values(quest_id=quest_id, person_id=person_id)
    statement = row.on_conflict_do_nothing().returning(col(QuestOrganizer.person_id))
    return (await session.execute(statement)).first() is not None


async def has_part(session: Session, quest_id: UUID, people: Sequence[UUID]) -> bool:
    """Whether one of these accounts has a part in a quest."""
    query = select(QuestOrganizer.person_id).where(
        QuestOrganizer.quest_id == quest_id, col(QuestOrganizer.person_id).in_(people)
    )
    return (await session.exec(query)).first() is not None
