"""SQL of the figures of attendance."""

from datetime import datetime
from typing import NamedTuple

from app.core.db import Session

# The key of the sums of all: no code of an organisation.
TOTAL = "*"

# ``child``: the code of the direct child at or below which an activity is; '' for one of the
# organisation's own. As SQL: grouping sets, and a lateral to the correction that holds.
_FIGURES = f"""
WITH places AS MATERIALIZED (
    SELECT a.id, split_part(substr(o.path, length(:path) + 1), '/', 1) AS child
    FROM orgs o JOIN activities a ON a.org_id = o.id
    WHERE o.path ^@ :path AND a.ends_at > CAST(:since AS timestamptz) - INTERVAL '1 day'
), presences AS (
    SELECT p.child, c.person_id, coalesce(w.minutes, 0) AS minutes
    FROM places p JOIN checkins c ON c.activity_id = p.id
    LEFT JOIN checkouts o ON o.checkin_id = c.id
    LEFT JOIN LATERAL (
        SELECT * FROM corrections r WHERE r.checkin_id = c.id ORDER BY r.number DESC LIMIT 1
    ) r ON true
    LEFT JOIN awards w
      ON w.id = CASE WHEN r.id IS NULL THEN coalesce(o.award_id, c.award_id) ELSE r.award_id END
     AND w.state NOT IN ('rejected', 'reversed')
    WHERE (r.id IS NULL OR r.came_at IS NOT NULL)
      AND coalesce(r.came_at, c.came_at, c.checked_in_at) >= :since
      AND coalesce(r.came_at, c.came_at, c.checked_in_at) < :until
), served AS (
    SELECT CASE grouping(child) WHEN 1 THEN '{TOTAL}' ELSE child END AS child,
           count(DISTINCT person_id) AS on_duty, sum(minutes) AS minutes, count(*) AS person_times
    FROM presences GROUP BY GROUPING SETS ((child), ())
), signed_up AS (
    SELECT CASE grouping(child) WHEN 1 THEN '{TOTAL}' ELSE child END AS child,
           count(DISTINCT s.person_id) AS recruited
    FROM places p JOIN signups s ON s.activity_id = p.id AND s.status = 'confirmed'
    WHERE s.created_at >= :since AND s.created_at < :until
    GROUP BY GROUPING SETS ((child), ())
)
SELECT child, coalesce(recruited, 0) AS recruited, coalesce(on_duty, 0) AS on_duty,
       CAST(coalesce(minutes, 0) AS bigint) AS minutes, coalesce(person_times, 0) AS person_times
FROM served FULL JOIN signed_up USING (child)
"""  # noqa: S608 - a constant


class Figures(NamedTuple):
    recruited: int = 0
    on_duty: int = 0
    minutes: int = 0
    person_times: int = 0


async def figures(
    session: Session, org_path: str, since: datetime, until: datetime
) -> dict[str, Figures]:
    """Count sign-ups and check-ins of a period in a subtree, by ``child`` and for ``TOTAL``."""
    wanted = {"path": org_path, "since": since, "until": until}
    return {child: Figures(*rest) for child, *rest in await session.fetch(_FIGURES, wanted)}
