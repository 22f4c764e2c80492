"""SQL of reminders of activities."""

from datetime import datetime

from app.core.db import Row, Session
from app.models.signup_reminders import ReminderKind

# ON CONFLICT: of concurrent workers only the one that inserts the row reminds. The list "/" has all
# activities by start. Where an activity has sessions, each of them is one that starts.
REMIND = """
WITH starting AS (
    SELECT l.activity_id, 0 AS session, l.starts_at
    FROM activity_lists l JOIN activities a ON a.id = l.activity_id
    WHERE l.list = '/' AND l.status = 'published' AND a.sessions = 0
      AND l.starts_at >= CAST(:since AS timestamptz) AND l.starts_at < CAST(:until AS timestamptz)
    UNION ALL
    SELECT activity_id, number, starts_at FROM activity_sessions
    WHERE starts_at >= CAST(:since AS timestamptz) AND starts_at < CAST(:until AS timestamptz)
), due AS (
    SELECT s.id, s.person_id, n.activity_id, n.session, n.starts_at, a.title,
           CAST(n.starts_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day
    FROM starting n JOIN activities a ON a.id = n.activity_id AND a.status = 'published'
    JOIN signups s ON s.activity_id = n.activity_id AND s.status = 'confirmed'
                  AND s.session IN (0, n.session)
    WHERE NOT EXISTS (
        SELECT FROM signup_reminders r WHERE r.signup_id = s.id AND r.session = n.session
        AND r.day = CAST(n.starts_at AT TIME ZONE 'Asia/Shanghai' AS date) AND r.kind = :kind)
    ORDER BY s.id LIMIT CAST(:limit AS int)
), noted AS (
    INSERT INTO signup_reminders (signup_id, day, session, kind)
    SELECT id, day, session, CAST(:kind AS text) FROM due
    ON CONFLICT DO NOTHING
    RETURNING signup_id, session
)
SELECT due.person_id, due.activity_id, due.title, due.starts_at
FROM due JOIN noted ON noted.signup_id = due.id AND noted.session = due.session
"""


async def remind(
    session: Session, kind: ReminderKind, since: datetime, until: datetime, limit: int
) -> list[Row]:
    """Record reminders of what starts in a span, one for each place and session.

    Return ``person_id``, ``activity_id``, ``title`` and ``starts_at`` of the new ones.
    """
    wanted = {"kind": kind, "since": since, "until": until, "limit": limit}
    return await session.fetch(REMIND, wanted)
