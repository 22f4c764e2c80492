"""SQL of visits at checkpoints and of completed quests.

``people``: all accounts of one person (docs/decisions/0036).
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import SQLModel, col, select

from app.core.db import Session
from app.models.people import Person
from app.models.quest_visits import QuestCompletion, QuestVisit
from app.models.quests import QuestCheckpoint


async def lock_person(session: Session, person_id: UUID) -> None:
    """Let the visits of a person commit one after the other, whichever quests they are of."""
    query = select(Person.id).where(Person.id == person_id).with_for_update(key_share=True)
    await session.exec(query)


async def in_quest(
    session: Session, quest_id: UUID, people: Sequence[UUID]
) -> list[tuple[QuestVisit, QuestCheckpoint]]:
    """Read the visits of a person in a quest, oldest first, with their checkpoints."""
    query = (
        select(QuestVisit, QuestCheckpoint)
        .join(QuestCheckpoint, col(QuestCheckpoint.id) == col(QuestVisit.checkpoint_id))
        .where(QuestVisit.quest_id == quest_id, col(QuestVisit.person_id).in_(people))
        .order_by(col(QuestVisit.id))
    )
    return list(await session.exec(query))


async def last(
    session: Session, people: Sequence[UUID]
) -> tuple[QuestVisit, QuestCheckpoint] | None:
    """Read the latest visit of a person in any quest, with its checkpoint."""
    query = (
        select(QuestVisit, QuestCheckpoint)
        .join(QuestCheckpoint, col(QuestCheckpoint.id) == col(QuestVisit.checkpoint_id))
        .where(col(QuestVisit.person_id).in_(people))
        .order_by(col(QuestVisit.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def completion(
    session: Session, quest_id: UUID, people: Sequence[UUID]
) -> QuestCompletion | None:
    """Read the completion of a quest by a person, the first one if two accounts had one."""
    query = (
        select(QuestCompletion)
        .where(QuestCompletion.quest_id == quest_id, col(QuestCompletion.person_id).in_(people))
        .order_by(col(QuestCompletion.completed_at))
        .limit(1)
    )
    return (await session.exec(query)).first()


async def insert(session: Session, row: SQLModel) -> None:
    session.add(row)
    await session.flush()
