"""SQL of the organisation tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.orgs import Org


@dataclass(frozen=True, slots=True)
class Division:
    """A row of a division file, with its path."""

    code: str
    name: str
    level: str
    parent_code: str | None
    path: str


@dataclass(frozen=True, slots=True)
class OrgFilter:
    """Which organisations: below a parent, of a level, with ``q`` in the name."""

    parent_id: UUID | None = None
    level: str | None = None
    q: str | None = None


# Level by level is not needed: parents are found by code in the second statement, when
# every row of the file is there.
_UPSERT = text("""
INSERT INTO orgs AS o (code, name, level, path)
SELECT * FROM unnest(CAST(:codes AS text[]), CAST(:names AS text[]),
                     CAST(:levels AS text[]), CAST(:paths AS text[]))
ON CONFLICT (code) DO UPDATE SET name = excluded.name, level = excluded.level,
                                 path = excluded.path
WHERE (o.name, o.level, o.path) IS DISTINCT FROM (excluded.name, excluded.level, excluded.path)
RETURNING (old.id IS NULL) AS inserted
""")

_LINK_PARENTS = text("""
UPDATE orgs o SET parent_id = p.id
FROM unnest(CAST(:codes AS text[]), CAST(:parents AS text[])) AS k(code, parent)
JOIN orgs p ON p.code = k.parent
WHERE o.code = k.code AND o.parent_id IS DISTINCT FROM p.id
""")

# A division that moved takes what is below it along, whether the file names it or not.
_MOVE = text("""
WITH RECURSIVE tree AS (
    SELECT id, '/' || code || '/' AS path FROM orgs WHERE parent_id IS NULL
    UNION ALL
    SELECT o.id, t.path || o.code || '/' FROM tree t JOIN orgs o ON o.parent_id = t.id
)
UPDATE orgs o SET path = t.path FROM tree t WHERE t.id = o.id AND o.path <> t.path
""")

_MOVE_ACTIVITIES = text("""
UPDATE activities a SET org_path = o.path FROM orgs o
WHERE o.id = a.org_id AND a.org_path <> o.path
""")

_PATHS_OF = "SELECT id, path FROM orgs WHERE id = ANY(CAST(:ids AS uuid[]))"

_NAMES_OF = "SELECT id, code, name FROM orgs WHERE id = ANY(CAST(:ids AS uuid[]))"


async def find(session: Session, org_id: UUID) -> Org | None:
    return await session.get(Org, org_id)


async def paths_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = await session.fetch(_PATHS_OF, {"ids": list(ids)})
    return {row.id: row.path for row in rows}


async def names_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Read codes and names."""
    rows = await session.fetch(_NAMES_OF, {"ids": list(ids)})
    return {row.id: (row.code, row.name) for row in rows}


async def find_by_code(session: Session, code: str) -> Org | None:
    return (await session.exec(select(Org).where(Org.code == code))).first()


async def paths(session: Session, codes: Sequence[str]) -> dict[str, str]:
    """Read the paths of known codes."""
    rows = await session.exec(select(Org.code, Org.path).where(col(Org.code).in_(codes)))
    return dict(rows.all())


async def upsert(session: Session, divisions: Sequence[Division]) -> tuple[int, int]:
    """Insert or update a whole tree, and move what hangs on it; return (inserted, updated)."""
    codes = [division.code for division in divisions]
    rows = await session.execute(
        _UPSERT,
        {
            "codes": codes,
            "names": [division.name for division in divisions],
            "levels": [division.level for division in divisions],
            "paths": [division.path for division in divisions],
        },
    )
    inserted = [bool(row.inserted) for row in rows]
    parents = [division.parent_code for division in divisions]
    await session.execute(_LINK_PARENTS, {"codes": codes, "parents": parents})
    await session.execute(_MOVE)
    await session.execute(_MOVE_ACTIVITIES)
    return sum(inserted), len(inserted) - sum(inserted)


async def page(
    session: Session, wanted: OrgFilter, after_code: str | None, limit: int
) -> list[Org]:
    """Read organisations by code."""
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
