"""SQL of the versions of the points rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, inspect, literal
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.db import Session
from app.models.orgs import Org
from app.models.people import Person
from app.models.policies import PolicyVersion


@dataclass(frozen=True, slots=True)
class Published:
    """A version: its organisation (None: all), its beginning, and its text."""

    version: int
    org_code: str | None
    effective_from: datetime
    source: str


# Number and time of creation of a version.
Newest = tuple[int, datetime]
_NEWEST = "SELECT version, created_at FROM policies ORDER BY version DESC LIMIT 1"


async def newest(session: Session) -> Newest | None:
    """Read the newest version, in force or not.

    Each batch of check-ins or charges does.
    """
    rows = await session.fetch(_NEWEST, {})
    return (rows[0].version, rows[0].created_at) if rows else None


async def published(session: Session) -> list[Published]:
    query = (
        select(PolicyVersion, Org.code)
        .outerjoin(Org, col(Org.id) == col(PolicyVersion.org_id))
        .order_by(col(PolicyVersion.version))
    )
    return [
        Published(one.version, code, one.effective_from, one.source)
        for one, code in await session.exec(query)
    ]


async def newest_at(session: Session, org_path: str) -> int:
    """Read the newest version of an organisation, of those above it, or of all; 0: there is none.

    In force or not.
    """
    return (await session.exec(_newest_at(org_path))).one()


async def insert(
    session: Session,
    *,
    org_id: UUID | None,
    effective_from: datetime,
    source: str,
    published_by: UUID | None,
    after: tuple[str, int] | None = None,
) -> int | None:
    """Insert the next version and return its number; versions are numbered from 1.

    None if another transaction inserted it concurrently, or if ``after``, the path of an
    organisation and the newest version at it or above it, is not true any more.
    """
    values = {
        "org_id": org_id,
        "effective_from": effective_from,
        "source": source,
        "published_by": published_by,
    }
    types = inspect(PolicyVersion).columns
    number = select(func.coalesce(func.max(PolicyVersion.version), 0) + 1).scalar_subquery()
    row = sa_select(number, *(literal(value, types[name].type) for name, value in values.items()))
    if after is not None:  # in the same statement, so with the same snapshot as the number
        row = row.where(_newest_at(after[0]).scalar_subquery() == after[1])
    query = postgresql.insert(PolicyVersion).from_select(["version", *values], row)
    made = await session.execute(
        query.on_conflict_do_nothing().returning(col(PolicyVersion.version))
    )
    return made.scalar_one_or_none()


async def published_at(session: Session, version: int) -> datetime:
    query = select(PolicyVersion.created_at).where(PolicyVersion.version == version)
    return (await session.exec(query)).one()


def _newest_at(org_path: str) -> SelectOfScalar[int]:
    return (
        select(func.coalesce(func.max(PolicyVersion.version), 0))
        .outerjoin(Org, col(Org.id) == col(PolicyVersion.org_id))
        .where(_at_or_above(org_path))
    )


def _at_or_above(org_path: str) -> ColumnElement[bool]:
    return col(PolicyVersion.org_id).is_(None) | literal(org_path).op("^@")(col(Org.path))


async def page(
    session: Session, org_path: str, before: int | None, limit: int
) -> Sequence[tuple[PolicyVersion, str | None, str | None]]:
    """Read the versions of an organisation, of those above it and of all, newest first.

    With the names of the organisation and of who published it.
    """
    query = (
        select(PolicyVersion, col(Org.name), col(Person.display_name))
        .outerjoin(Org, col(Org.id) == col(PolicyVersion.org_id))
        .outerjoin(Person, col(Person.id) == col(PolicyVersion.published_by))
        .where(_at_or_above(org_path))
        .order_by(col(PolicyVersion.version).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(PolicyVersion.version) < before)
    return (await session.exec(query)).all()
