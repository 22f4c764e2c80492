"""SQL of the points rules."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.orgs import Org
from app.models.policies import PolicyVersion


@dataclass(frozen=True, slots=True)
class Published:
    """A version: whose it is (None: everybody's), from when, and its text."""

    version: int
    org_code: str | None
    effective_from: datetime
    source: str


# Versions count up from 1; of two that are written at once, one is told so.
_INSERT = """
INSERT INTO policies (version, org_id, effective_from, source, published_by)
SELECT coalesce(max(version), 0) + 1, CAST(:org_id AS uuid), CAST(:effective_from AS timestamptz),
       CAST(:source AS text), CAST(:published_by AS uuid)
FROM policies
ON CONFLICT DO NOTHING
RETURNING version
"""


async def newest(session: Session) -> tuple[int, datetime] | None:
    """Read number and birth of the newest version, in force or not yet."""
    query = select(PolicyVersion.version, PolicyVersion.created_at)
    return (await session.exec(query.order_by(col(PolicyVersion.version).desc()).limit(1))).first()


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


async def insert(
    session: Session,
    *,
    org_id: UUID | None,
    effective_from: datetime,
    source: str,
    published_by: UUID | None,
) -> int | None:
    """Write the next version; None if somebody else wrote it at the same moment."""
    rows = await session.fetch(
        _INSERT,
        {
            "org_id": org_id,
            "effective_from": effective_from,
            "source": source,
            "published_by": published_by,
        },
    )
    return rows[0].version if rows else None
