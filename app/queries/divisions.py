"""SQL of the import of divisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.orgs import Org


@dataclass(frozen=True, slots=True)
class Division:
    """A row of a division file, with its path."""

    code: str
    name: str
    level: str
    parent_code: str | None
    path: str


# Parents are linked by a second statement, when all rows of the file exist; so the file need not be
# inserted level by level.
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

# Sets the paths below a division that moved, also of divisions that the file does not name.
_MOVE = text("""
WITH RECURSIVE tree AS (
    SELECT id, '/' || code || '/' AS path FROM orgs WHERE parent_id IS NULL
    UNION ALL
    SELECT o.id, t.path || o.code || '/' FROM tree t JOIN orgs o ON o.parent_id = t.id
)
UPDATE orgs o SET path = t.path FROM tree t WHERE t.id = o.id AND o.path <> t.path
""")


async def paths(session: Session, codes: Sequence[str]) -> dict[str, str]:
    """Read the paths of known codes."""
    rows = await session.exec(select(Org.code, Org.path).where(col(Org.code).in_(codes)))
    return dict(rows.all())


async def ids(session: Session, codes: Sequence[str]) -> Sequence[UUID]:
    return (await session.exec(select(Org.id).where(col(Org.code).in_(codes)))).all()


async def upsert(session: Session, divisions: Sequence[Division]) -> tuple[int, int]:
    """Insert or update a whole tree and the paths that depend on it; return (inserted, updated)."""
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
    await follow_paths(session)
    return sum(inserted), len(inserted) - sum(inserted)


async def follow_paths(session: Session) -> None:
    """Give activities the paths of their organisations, where these have changed."""
    moved = col(Org.id) == col(Activity.org_id), col(Org.path) != col(Activity.org_path)
    followed = update(Activity).where(*moved).values(org_path=Org.path)
    await session.execute(followed.execution_options(synchronize_session=False))
