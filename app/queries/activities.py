"""SQL of activities."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity, ActivityStatus

_PUBLISH = text("""
UPDATE activities SET status = 'published' WHERE id = :id AND status = 'draft'
""")

_COUNT_CHECKINS = text("""
UPDATE activities a SET checkins = a.checkins + k.n
FROM (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS int[])) AS u(id, n)
      ORDER BY id) k
WHERE a.id = k.id
""")


async def insert(session: Session, activity: Activity) -> None:
    session.add(activity)
    await session.flush()
    await session.refresh(activity)


async def find(session: Session, activity_id: UUID) -> Activity | None:
    found = await session.exec(select(Activity).where(Activity.id == activity_id))
    return found.first()


async def publish(session: Session, activity_id: UUID) -> bool:
    """Publish a draft; False if it is none (any more)."""
    done = await session.execute(_PUBLISH, {"id": activity_id})
    return bool(done.rowcount)  # type: ignore[attr-defined]


async def count_checkins(session: Session, counts: dict[UUID, int]) -> None:
    """Add to the check-in counters, one update for the list."""
    ids = sorted(counts)
    await session.execute(_COUNT_CHECKINS, {"ids": ids, "counts": [counts[i] for i in ids]})


async def page(
    session: Session,
    *,
    org_path: str | None,
    category: str | None,
    statuses: Sequence[ActivityStatus],
    starts_after: datetime | None,
    q: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Activity]:
    """Read activities by start, an organisation's subtree included."""
    query = (
        select(Activity)
        .where(col(Activity.status).in_(statuses))
        .order_by(col(Activity.starts_at), col(Activity.id))
        .limit(limit)
    )
    if org_path is not None:
        # A range of the "C"-collated path: every path below begins with it.
        query = query.where(col(Activity.org_path).bool_op("^@")(org_path))
    if category is not None:
        query = query.where(Activity.category == category)
    if starts_after is not None:
        query = query.where(Activity.starts_at > starts_after)
    if q is not None:
        query = query.where(col(Activity.title).contains(q, autoescape=True))
    if after is not None:
        query = query.where(
            text("(activities.starts_at, activities.id) > (:after_start, :after_id)").bindparams(
                after_start=after[0], after_id=after[1]
            )
        )
    return list(await session.exec(query))
