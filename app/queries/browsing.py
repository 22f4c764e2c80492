"""SQL of the readers of activities: what each of many activities is to each of many people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session

# An activity has one session, 0 (decision 0004); it is a column of the unique index.
_PARTS = """
SELECT k.activity_id, k.person_id, s.id AS signup_id, s.status,
       CASE WHEN s.status = 'waitlisted' THEN
           (SELECT count(*) FROM signups w WHERE w.activity_id = s.activity_id
            AND w.status = 'waitlisted' AND w.queue_number <= s.queue_number)
       END AS position,
       c.checked_in_at
FROM unnest(CAST(:activities AS uuid[]), CAST(:people AS uuid[])) AS k(activity_id, person_id)
LEFT JOIN signups s ON s.activity_id = k.activity_id AND s.person_id = k.person_id
                   AND s.status <> 'cancelled'
LEFT JOIN checkins c ON c.activity_id = k.activity_id AND c.session = 0
                    AND c.person_id = k.person_id
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A person's part in an activity. ``position`` in the waiting list, from 1."""

    activity_id: UUID
    person_id: UUID
    signup_id: UUID | None
    status: str | None
    position: int | None
    checked_in_at: datetime | None


async def parts(
    session: Session, pairs: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Part]:
    """Read the part of each (activity, person) in one statement."""
    values = {"activities": [a for a, _ in pairs], "people": [p for _, p in pairs]}
    rows = await session.fetch(_PARTS, values) if pairs else []
    return {(row["activity_id"], row["person_id"]): Part(**row) for row in rows}
