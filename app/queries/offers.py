"""SQL of rewards as a person may have them: what was redeemed of many, and their pictures."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.attachments import Attachment, AttachmentKind, AttachmentState
from app.queries import people as people_queries

# As ``redemptions.redeemed``, for many rewards.
_REDEEMED = """
SELECT k.reward_id, coalesce(sum(r.quantity), 0) AS quantity
FROM unnest(CAST(:rewards AS uuid[]), CAST(:since AS timestamptz[])) AS k(reward_id, since)
JOIN redemptions r ON r.person_id = ANY(CAST(:people AS uuid[])) AND r.reward_id = k.reward_id
                  AND r.created_at >= k.since AND r.undone_at IS NULL
                  AND r.day_id IS NULL
WHERE r.status = 'collected' OR (r.status = 'reserved' AND r.expires_at > :at)
GROUP BY k.reward_id
"""


async def redeemed(
    session: Session, person: UUID, since: Sequence[tuple[UUID, datetime]], at: datetime
) -> dict[UUID, int]:
    """Sum a person's quantity of each reward since a time, without what is overdue or undone."""
    values = {"rewards": [one for one, _ in since], "since": [start for _, start in since]}
    people = [person, *await people_queries.merged_into(session, [person])]
    rows = await session.fetch(_REDEEMED, values | {"people": people, "at": at})
    return {row.reward_id: int(row.quantity) for row in rows}


async def pictures(session: Session, rewards: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Read the pictures of rewards that everybody may see, the oldest first."""
    query = (
        select(Attachment.subject_id, Attachment.id)
        .where(Attachment.subject_type == "reward", col(Attachment.subject_id).in_(rewards))
        .where(Attachment.kind == AttachmentKind.picture, Attachment.state == AttachmentState.ready)
        .order_by(col(Attachment.id))
    )
    found: dict[UUID, list[UUID]] = {}
    for reward, picture in await session.exec(query):
        found.setdefault(reward, []).append(picture)
    return found
