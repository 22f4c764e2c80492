"""SQL of organisations."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.orgs import Org


@dataclass(frozen=True, slots=True)
class OrgFilter:
    """A filter of organisations: below a parent, of a level, with ``q`` in the name."""

    parent_id: UUID | None = None
    level: str | None = None
    q: str | None = None


_PATHS_OF = "SELECT id, path FROM orgs WHERE id = ANY(CAST(:ids AS uuid[]))"

_NAMES_OF = "SELECT id, code, name FROM orgs WHERE id = ANY(CAST(:ids AS uuid[]))"


async def find(session: Session, org_id: UUID) -> Org | None:
    return await session.get(Org, org_id)


async def share(session: Session, org_id: UUID) -> Org | None:
    """Read an organisation, locked FOR KEY SHARE: its path and its closure wait for the commit."""
    query = select(Org).where(Org.id == org_id).with_for_update(read=True, key_share=True)
    found = await session.exec(query)
    return found.first()


async def lock(session: Session, ids: Sequence[UUID], *, alone: bool = False) -> list[Org]:
    """Lock organisations in the order of their ids.

    ``alone``: also against ``share``, which all creations of what is in them take.
    """
    query = select(Org).where(col(Org.id).in_(ids)).order_by(col(Org.id))
    query = query.with_for_update(key_share=not alone)
    return list(await session.exec(query))


async def first_root(session: Session) -> Org | None:
    """Read the root with the lowest code."""
    roots = select(Org).where(col(Org.parent_id).is_(None)).order_by(col(Org.code)).limit(1)
    return (await session.exec(roots)).first()


async def paths_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = await session.fetch(_PATHS_OF, {"ids": list(ids)})
    return {row.id: row.path for row in rows}


async def names_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Read codes and names."""
    rows = await session.fetch(_NAMES_OF, {"ids": list(ids)})
    return {row.id: (row.code, row.name) for row in rows}


async def find_by_code(session: Session, code: str) -> Org | None:
    return (await session.exec(select(Org).where(Org.code == code))).first()


async def by_codes(session: Session, codes: Sequence[str]) -> Sequence[Org]:
    return (await session.exec(select(Org).where(col(Org.code).in_(codes)))).all()


async def children_of(session: Session, parents: Sequence[UUID]) -> Sequence[Org]:
    """Read the organisations directly below these, closed ones too."""
    return (await session.exec(select(Org).where(col(Org.parent_id).in_(parents)))).all()


async def page(
    session: Session, wanted: OrgFilter, after_code: str | None, limit: int
) -> list[Org]:
    """Read organisations in the order of their codes."""
    query = select(Org).order_by(col(Org.code)).limit(limit)
    if wanted.parent_id is not None:
        query = query.where(Org.parent_id == wanted.parent_id)
    if wanted.level is not None:
        query = query.where(Org.level == wanted.level)
    if wanted.q is not None:
        query = query.where(col(Org.name).contains(wanted.q, autoescape=True))
    if after_code is not None:
        query = query.where(col(Org.code) > after_code)
    return list(await session.exec(query))
