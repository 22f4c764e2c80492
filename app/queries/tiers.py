"""SQL of the tiers that people keep."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.people import Person
from app.models.tiers import TierStanding


async def find(session: Session, person: UUID, unit: int) -> TierStanding | None:
    return await session.get(TierStanding, (person, unit))


async def kept(session: Session, people: Sequence[UUID]) -> dict[tuple[UUID, int], str]:
    """Read the keys of the tiers that people keep, by person and unit."""
    query = select(TierStanding.person_id, TierStanding.unit_id, TierStanding.tier).where(
        col(TierStanding.person_id).in_(people)
    )
    return {(person, unit): tier for person, unit, tier in await session.exec(query)}


async def lock(session: Session, people: Sequence[UUID]) -> dict[tuple[UUID, int], TierStanding]:
    """Lock the rows of people, in the order of their keys."""
    query = (
        select(TierStanding)
        .where(col(TierStanding.person_id).in_(people))
        .order_by(col(TierStanding.person_id), col(TierStanding.unit_id))
        .with_for_update()
    )
    return {(one.person_id, one.unit_id): one for one in await session.exec(query)}


async def add(session: Session, standing: TierStanding) -> bool:
    """Insert a row; False if another transaction did."""
    values = standing.model_dump()
    query = insert(TierStanding).values(values).on_conflict_do_nothing()
    return (await session.execute(query.returning(col(TierStanding.tier)))).first() is not None


async def save(session: Session, standing: TierStanding) -> None:
    """Write the changed columns of a locked row."""
    session.add(standing)
    await session.flush()


async def remove(session: Session, standing: TierStanding) -> None:
    await session.delete(standing)
    await session.flush()


async def people_after(session: Session, after: UUID | None, limit: int) -> list[UUID]:
    """Read the ids of people in their order, without those who were erased or merged."""
    query = select(Person.id).where(
        col(Person.erased_at).is_(None), col(Person.merged_into_id).is_(None)
    )
    if after is not None:
        query = query.where(col(Person.id) > after)
    return list(await session.exec(query.order_by(col(Person.id)).limit(limit)))
