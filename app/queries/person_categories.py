"""SQL of categories of people."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, literal
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select

from app.core.db import Session
from app.models.orgs import Org
from app.models.person_categories import PersonCategory
from app.queries.records import Query


def _in_force(day: date) -> ColumnElement[bool]:
    return col(PersonCategory.ended_at).is_(None) & (col(PersonCategory.until) >= day)


async def held(session: Session, people: Sequence[UUID], day: date) -> Sequence[tuple[str, str]]:
    """Read the categories of one person's accounts on a day, with the path of who says so."""
    query = (
        select(PersonCategory.category, Org.path)
        .join(Org, col(Org.id) == col(PersonCategory.org_id))
        .where(col(PersonCategory.person_id).in_(people), _in_force(day))
    )
    return (await session.exec(query)).all()


def of_people(people: Sequence[UUID]) -> Query[PersonCategory]:
    """Select the categories of one person's accounts."""
    return select(PersonCategory).where(col(PersonCategory.person_id).in_(people))


async def holders(
    session: Session, org_path: str, category: str, day: date, limit: int
) -> Sequence[UUID]:
    """Read who has a category on a day by an organisation, one above it or one below it."""
    near = or_(
        col(Org.path).startswith(org_path, autoescape=True),
        literal(org_path).op("^@")(col(Org.path)),
    )
    query = (
        select(PersonCategory.person_id)
        .join(Org, col(Org.id) == col(PersonCategory.org_id))
        .where(PersonCategory.category == category, _in_force(day), near)
        .distinct()
        .order_by(col(PersonCategory.person_id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


async def add(session: Session, one: PersonCategory) -> bool:
    """Insert a category; False if the person has it there already."""
    values = one.model_dump(exclude={"created_at", "ended_at"})
    done = insert(PersonCategory).values(values).on_conflict_do_nothing()
    return (await session.execute(done.returning(col(PersonCategory.id)))).first() is not None


async def lock(
    session: Session, org: UUID, category: str, people: Sequence[UUID]
) -> Mapping[UUID, PersonCategory]:
    """Lock the categories of people at an organisation that nobody ended, by id."""
    query = (
        select(PersonCategory)
        .where(PersonCategory.org_id == org, PersonCategory.category == category)
        .where(col(PersonCategory.person_id).in_(people), col(PersonCategory.ended_at).is_(None))
        .order_by(col(PersonCategory.id))
        .with_for_update()
    )
    return {one.person_id: one for one in await session.exec(query)}
