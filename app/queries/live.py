"""SQL of the live view: each statement reads one activity, for all screens of a process."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.db import Row, Session

# Sessions further away are not shown: a series has up to 400, most of them over.
NEAR = timedelta(hours=12)
MOST_SESSIONS, MOST_ARRIVALS, MOST_MISSING = 50, 20, 50

# Nothing follows an annulment, so any correction without times is one.
_COUNTS_STILL = """NOT EXISTS (
    SELECT FROM corrections r WHERE r.checkin_id = c.id AND r.came_at IS NULL)"""

_ACTIVITY = """
SELECT id, status, signup_for, sessions, checks_out, signups_confirmed, signups_waitlisted
FROM activities WHERE id = ANY(CAST(:activities AS uuid[]))
"""

_SESSIONS = """
SELECT number, title, starts_at, ends_at, signups_confirmed, signups_waitlisted
FROM activity_sessions
WHERE activity_id = :activity AND ends_at > :since AND starts_at < :until
ORDER BY starts_at, number LIMIT :limit
"""

# ``expected``: those with a confirmed sign-up for the session or the whole activity.
_PRESENCES = f"""
SELECT c.session, CAST(count(*) AS int) AS checked_in, CAST(count(o.id) AS int) AS checked_out,
       CAST(count(*) FILTER (WHERE c.is_walk_in) AS int) AS walk_ins,
       CAST(count(*) FILTER (WHERE EXISTS (
           SELECT FROM signups u WHERE u.activity_id = c.activity_id
           AND u.person_id = c.person_id AND u.session IN (0, c.session)
           AND u.status = 'confirmed')) AS int) AS expected
FROM checkins c LEFT JOIN checkouts o ON o.checkin_id = c.id
WHERE c.activity_id = :activity AND c.session = ANY(CAST(:sessions AS int[])) AND {_COUNTS_STILL}
GROUP BY c.session
"""  # noqa: S608 - a condition

_ARRIVALS = f"""
SELECT p.display_name, c.session, coalesce(c.came_at, c.checked_in_at) AS checked_in_at, c.method,
       c.is_walk_in, replace((
           SELECT u.friend_names FROM signups u
           WHERE u.activity_id = c.activity_id AND u.person_id = c.person_id
             AND u.session IN (0, c.session) AND u.status = 'confirmed'
             AND u.friend_names IS NOT NULL LIMIT 1), E'\\n', '、') AS friend_names
FROM (
    SELECT c.* FROM checkins c
    WHERE c.activity_id = :activity AND c.session = ANY(CAST(:sessions AS int[]))
      AND {_COUNTS_STILL}
    ORDER BY c.checked_in_at DESC, c.id DESC LIMIT :limit
) c JOIN people p ON p.id = c.person_id
ORDER BY c.checked_in_at DESC, c.id DESC
"""  # noqa: S608 - a condition

# Who signed up for the whole activity is missing until the first check-in at one of the sessions.
_MISSING = f"""
SELECT p.display_name, u.session, u.total
FROM (
    SELECT u.id, u.person_id, u.session, CAST(count(*) OVER () AS int) AS total
    FROM signups u
    WHERE u.activity_id = :activity AND u.status = 'confirmed'
      AND (u.session = 0 OR u.session = ANY(CAST(:sessions AS int[])))
      AND NOT EXISTS (
          SELECT FROM checkins c
          WHERE c.activity_id = u.activity_id AND c.person_id = u.person_id
            AND c.session = ANY(CAST(:sessions AS int[])) AND u.session IN (0, c.session)
            AND {_COUNTS_STILL})
    ORDER BY u.id LIMIT :limit
) u JOIN people p ON p.id = u.person_id
ORDER BY u.id
"""  # noqa: S608 - a condition


class Presences(NamedTuple):
    """``expected``: how many of the check-ins are of people with a confirmed sign-up."""

    checked_in: int = 0
    checked_out: int = 0
    walk_ins: int = 0
    expected: int = 0


async def activity(session: Session, activity_id: UUID) -> Row | None:
    rows = await session.fetch(_ACTIVITY, {"activities": [activity_id]})
    return rows[0] if rows else None


async def sessions(session: Session, activity_id: UUID, at: datetime) -> list[Row]:
    """Read the sessions around a time, in their order."""
    wanted = {"since": at - NEAR, "until": at + NEAR, "limit": MOST_SESSIONS}
    return await session.fetch(_SESSIONS, {"activity": activity_id} | wanted)


async def presences(
    session: Session, activity_id: UUID, numbers: Sequence[int]
) -> dict[int, Presences]:
    """Count the check-ins of sessions, by their numbers; a session without any is left out."""
    rows = await session.fetch(_PRESENCES, {"activity": activity_id, "sessions": list(numbers)})
    return {one: Presences(*counts) for one, *counts in rows}


async def arrivals(session: Session, activity_id: UUID, numbers: Sequence[int]) -> list[Row]:
    """Read the last check-ins of sessions, newest first."""
    wanted = {"activity": activity_id, "sessions": list(numbers), "limit": MOST_ARRIVALS}
    return await session.fetch(_ARRIVALS, wanted)


async def missing(session: Session, activity_id: UUID, numbers: Sequence[int]) -> list[Row]:
    """Read who is missing, in the order of the sign-ups; ``total`` of each row: how many are."""
    wanted = {"activity": activity_id, "sessions": list(numbers), "limit": MOST_MISSING}
    return await session.fetch(_MISSING, wanted)
