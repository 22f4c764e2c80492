"""SQL of confirmed names."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from app.core.db import Session
from app.models.name_confirmations import NameConfirmation


async def find(session: Session, person: UUID) -> NameConfirmation | None:
    return await session.get(NameConfirmation, person)


async def add(session: Session, person: UUID, org: UUID, confirmed_by: UUID) -> bool:
    """Confirm a name; False if it is confirmed already."""
    values = {"person_id": person, "org_id": org, "confirmed_by": confirmed_by}
    query = insert(NameConfirmation).values(values).on_conflict_do_nothing()
    made = await session.execute(query.returning(col(NameConfirmation.person_id)))
    return made.first() is not None


async def remove(session: Session, person: UUID) -> None:
    await session.execute(delete(NameConfirmation).where(col(NameConfirmation.person_id) == person))
