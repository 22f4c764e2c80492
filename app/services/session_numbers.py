"""Numbers of sessions: from 1, and 0 for an activity without any."""

from datetime import datetime

from app.core.db import Session
from app.models.activities import Activity
from app.queries import sessions as queries
from app.services.sessions import SessionNotFound


async def span(tx: Session, activity: Activity, number: int) -> tuple[datetime, datetime]:
    """Return start and end of a session; 0 is of an activity without sessions, which has no other.

    Raises SessionNotFound.
    """
    if not activity.sessions and number == 0:
        return activity.starts_at, activity.ends_at
    found = await queries.numbered(tx, activity.id, number)
    if found is None:
        raise SessionNotFound
    return found.starts_at, found.ends_at
