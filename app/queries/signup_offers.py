"""SQL of places that are offered to who waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity, ActivityStatus
from app.models.sessions import ActivitySession


class Lapsed(NamedTuple):
    """An offer that is over. ``places`` with friends."""

    id: UUID
    activity_id: UUID
    session: int
    person_id: UUID
    places: int
    offer_until: datetime
    title: str


# Sign-ups are locked before activities, as by a cancellation. SKIP LOCKED: of one that is being
# accepted or cancelled.
LOCK_LAPSED = """
WITH lapsed AS (
    SELECT s.id, s.activity_id, s.session, s.person_id, 1 + s.friends AS places, s.offer_until
    FROM signups s
    WHERE s.status = 'offered' AND s.offer_until <= CAST(:at AS timestamptz)
    ORDER BY s.offer_until, s.id LIMIT CAST(:limit AS int) FOR UPDATE OF s SKIP LOCKED
)
SELECT l.*, a.title FROM lapsed l JOIN activities a ON a.id = l.activity_id ORDER BY l.id
"""

_END = """
UPDATE signups SET status = 'cancelled', cancelled_at = :at, offer_until = NULL
WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def lock_lapsed(session: Session, at: datetime, limit: int) -> list[Lapsed]:
    """Lock offers that are over."""
    rows = await session.fetch(LOCK_LAPSED, {"at": at, "limit": limit})
    return [Lapsed(*row) for row in rows]


async def end(session: Session, ids: Sequence[UUID], at: datetime) -> None:
    """Cancel locked sign-ups whose offer is over."""
    await session.fetch(_END, {"ids": list(ids), "at": at})


async def shifts_with_room(session: Session, at: datetime, limit: int) -> list[tuple[UUID, int]]:
    """Read shifts (activity, number) with a free place and people who wait.

    They were passed over: each had another shift at that time when the place became free.
    """
    n = ActivitySession
    query = (
        select(n.activity_id, n.number)
        .join(Activity, col(Activity.id) == col(n.activity_id))
        .where(col(n.post_id).is_not(None), n.starts_at > at, n.signups_waitlisted > 0)
        .where(col(n.capacity).is_(None) | (col(n.signups_confirmed) < col(n.capacity)))
        .where(Activity.status == ActivityStatus.published)
        .where(
            col(Activity.capacity).is_(None)
            | (col(Activity.signups_confirmed) < col(Activity.capacity))
        )
        .order_by(col(n.activity_id), col(n.number))
        .limit(limit)
    )
    return list((await session.exec(query)).all())
