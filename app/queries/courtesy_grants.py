"""SQL of grants of courtesies."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.courtesies import Courtesy
from app.models.courtesy_grants import CourtesyGrant, CourtesyGrantee, CourtesyGrantItem
from app.queries.records import Query


async def fill(
    session: Session, grant: UUID, courtesies: Sequence[UUID], people: Sequence[UUID]
) -> None:
    """Write what a new grant gives, and to whom."""
    session.add_all(CourtesyGrantItem(grant_id=grant, courtesy_id=one) for one in courtesies)
    await session.flush()
    if people:
        rows = [{"grant_id": grant, "person_id": one} for one in people]
        await session.execute(insert(CourtesyGrantee).values(rows))


async def share(session: Session, grant: UUID) -> CourtesyGrant | None:
    """Read a grant that nobody revokes before the commit."""
    query = select(CourtesyGrant).where(CourtesyGrant.id == grant).with_for_update(read=True)
    return (await session.exec(query)).first()


async def items(session: Session, grants: Sequence[UUID]) -> Sequence[tuple[UUID, Courtesy]]:
    """Read what is in packages, by grant and the name of the courtesy."""
    query = (
        select(CourtesyGrantItem.grant_id, Courtesy)
        .join(Courtesy, col(Courtesy.id) == col(CourtesyGrantItem.courtesy_id))
        .where(col(CourtesyGrantItem.grant_id).in_(grants))
        .order_by(col(Courtesy.name), col(Courtesy.id))
    )
    return (await session.exec(query)).all()


async def counts(session: Session, grants: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Count the people of grants, and those who claimed."""
    query = (
        select(CourtesyGrantee.grant_id, func.count(), func.count(col(CourtesyGrantee.claimed_at)))
        .where(col(CourtesyGrantee.grant_id).in_(grants))
        .group_by(col(CourtesyGrantee.grant_id))
    )
    return {grant: (people, claimed) for grant, people, claimed in await session.exec(query)}


def of_people(people: Sequence[UUID]) -> Query[CourtesyGrant]:
    """Select the grants that one person's accounts have."""
    theirs = select(CourtesyGrantee.grant_id).where(col(CourtesyGrantee.person_id).in_(people))
    return select(CourtesyGrant).where(col(CourtesyGrant.id).in_(theirs))


async def claimed(
    session: Session, people: Sequence[UUID], grants: Sequence[UUID]
) -> dict[UUID, datetime | None]:
    """Read when one person's accounts claimed grants; a grant of none of them is left out."""
    query = (
        select(CourtesyGrantee.grant_id, func.min(CourtesyGrantee.claimed_at))
        .where(col(CourtesyGrantee.person_id).in_(people))
        .where(col(CourtesyGrantee.grant_id).in_(grants))
        .group_by(col(CourtesyGrantee.grant_id))
    )
    return dict((await session.exec(query)).all())


async def claim(session: Session, grant: UUID, people: Sequence[UUID], at: datetime) -> bool:
    """Mark a grant as claimed by one person's accounts; False if one of them was marked before."""
    mine = update(CourtesyGrantee).where(
        col(CourtesyGrantee.grant_id) == grant,
        col(CourtesyGrantee.person_id).in_(people),
        col(CourtesyGrantee.claimed_at).is_(None),
    )
    done = mine.values(claimed_at=at).returning(col(CourtesyGrantee.person_id))
    return (await session.execute(done)).first() is not None
