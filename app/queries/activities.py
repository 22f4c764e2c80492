"""SQL of activities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import select

from app.core.db import Row, Session
from app.models.activities import Activity, ActivityStatus

_PUBLISH = text("""
UPDATE activities SET status = 'published' WHERE id = :id AND status = 'draft'
""")

_FIND_MANY = "SELECT * FROM activities WHERE id = ANY(CAST(:ids AS uuid[]))"

EVERYWHERE = "/"
# Before every activity, and behind all of one moment.
FIRST, LAST_ID = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0)), UUID(int=2**128 - 1)
# How many places ahead the lists that would do are compared.
REACH = 200

# Of several lists that hold all that is sought, the one with the fewest places from here on.
_SPARSEST = text("""
SELECT k.list FROM unnest(CAST(:lists AS text[])) AS k(list)
LEFT JOIN LATERAL (
    SELECT l.starts_at FROM activity_lists l
    WHERE l.list = k.list AND l.status = (CAST(:statuses AS text[]))[1]
      AND (l.starts_at, l.activity_id) > (:start, :activity)
    ORDER BY l.starts_at, l.activity_id LIMIT 1 OFFSET :reach
) far ON true
ORDER BY far.starts_at DESC NULLS FIRST, k.list LIMIT 1
""")

# A range of the list in each status, merged. What the list does not say, the activity does:
# OFFSET 0 makes PostgreSQL look at one after the other until the page is full, where it
# might else read and sort all that there are.
_PAGE = select(Activity).from_statement(
    text("""
SELECT a.* FROM unnest(CAST(:statuses AS text[])) AS s(status)
CROSS JOIN LATERAL (
    SELECT a.* FROM activity_lists l
    CROSS JOIN LATERAL (SELECT * FROM activities WHERE id = l.activity_id OFFSET 0) a
    WHERE l.list = :list AND l.status = s.status
      AND (l.starts_at, l.activity_id) > (:start, :activity)
      AND a.org_path ^@ :path AND a.category = coalesce(CAST(:category AS text), a.category)
      AND strpos(a.title, :q) > 0
    ORDER BY l.starts_at, l.activity_id LIMIT :limit
) a
ORDER BY a.starts_at, a.id LIMIT :limit
""")
)


async def insert(session: Session, activity: Activity) -> None:
    session.add(activity)
    await session.flush()
    await session.refresh(activity)


async def find(session: Session, activity_id: UUID) -> Activity | None:
    found = await session.exec(select(Activity).where(Activity.id == activity_id))
    return found.first()


async def find_many(session: Session, ids: Sequence[UUID]) -> dict[UUID, Row]:
    rows = await session.fetch(_FIND_MANY, {"ids": list(ids)})
    return {row.id: row for row in rows}


async def publish(session: Session, activity_id: UUID) -> bool:
    """Publish a draft; False if it is none (any more)."""
    done = await session.execute(_PUBLISH, {"id": activity_id})
    return bool(done.rowcount)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Which activities: of a category, from a start on, with ``q`` in the title."""

    category: str | None = None
    starts_after: datetime | None = None
    q: str | None = None


async def page(
    session: Session,
    wanted: ActivityFilter,
    org_path: str | None,
    statuses: Sequence[ActivityStatus],
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[Activity]:
    """Read activities by start, an organisation's subtree included.

    However many there are, the work is that of a page: see decision 0013.
    """
    path, category, q = org_path or EVERYWHERE, wanted.category, wanted.q or ""
    earliest = (wanted.starts_after, LAST_ID) if wanted.starts_after else FIRST
    start, activity = max(after or FIRST, earliest)
    values = {"start": start, "activity": activity, "statuses": list(statuses)}
    lists = [*_words(q), path + (category or "")]
    if len(lists) > 1:
        found = await session.execute(_SPARSEST, values | {"lists": lists, "reach": REACH})
        lists = [found.scalar_one()]
    values |= {"list": lists[0], "path": path, "category": category, "q": q, "limit": limit}
    return list((await session.execute(_PAGE, values)).scalars())


def _words(q: str) -> list[str]:
    """Return the lists of titles that hold ``q``: all pairs of neighbours, or the one character."""
    pairs = {q[i : i + 2] for i in range(len(q) - 1)}
    return [f"~{word}" for word in sorted(pairs) or ([q] if q else [])]
