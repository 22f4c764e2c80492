"""SQL of activities for their organizers."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.attachments import Attachment, AttachmentKind, AttachmentState
from app.models.awards import Award, AwardState
from app.models.orgs import Org
from app.models.people import RoleGrant
from app.queries.people import in_force

# Sorts after every activity.
LAST = (datetime(2200, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))

# A range of each list (decision 0013) for each status, from its end, and the few by name.
_PAGE = select(Activity).from_statement(
    text("""
SELECT a.* FROM (
    SELECT l.activity_id FROM unnest(CAST(:paths AS text[])) AS p(path)
    CROSS JOIN unnest(CAST(:statuses AS text[])) AS s(status)
    CROSS JOIN LATERAL (
        SELECT l.activity_id FROM activity_lists l
        WHERE l.list = p.path AND l.status = s.status
          AND (l.starts_at, l.activity_id) < (:start, :activity)
        ORDER BY l.starts_at DESC, l.activity_id DESC LIMIT :limit
    ) l
    UNION
    SELECT c.activity_id FROM co_organizers c JOIN people p ON p.id = c.person_id
    WHERE c.person_id = :person AND p.suspended_at IS NULL AND p.erased_at IS NULL
) found
JOIN activities a ON a.id = found.activity_id
WHERE a.status = ANY(CAST(:statuses AS text[])) AND (a.starts_at, a.id) < (:start, :activity)
ORDER BY a.starts_at DESC, a.id DESC LIMIT :limit
""")
)


async def paths_of(session: Session, person_id: UUID, roles: Collection[str]) -> list[str]:
    """Read the paths of the organisations at which the person holds one of the roles."""
    query = (
        select(Org.path)
        .join(RoleGrant, col(RoleGrant.org_id) == col(Org.id))
        .where(RoleGrant.person_id == person_id, col(RoleGrant.role).in_(roles), in_force())
        .distinct()
    )
    return list(await session.exec(query))


async def page(
    session: Session,
    person_id: UUID,
    paths: Sequence[str],
    statuses: Sequence[str],
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[Activity]:
    """Read activities of subtrees, and those that the person co-organizes, latest start first."""
    start, activity = after or LAST
    values = {"person": person_id, "paths": list(paths), "statuses": list(statuses)}
    values |= {"start": start, "activity": activity, "limit": limit}
    return (await session.execute(_PAGE, values)).scalars().all()


async def awards_waiting(session: Session, activities: Sequence[UUID]) -> dict[UUID, int]:
    """Count the awards of activities that wait for reviewers; their rules ask for evidence."""
    query = (
        select(Award.proposal_id, func.count())
        .where(
            col(Award.proposal_id).in_(activities),
            Award.state == AwardState.pending,
            col(Award.release_at).is_(None),
        )
        .group_by(col(Award.proposal_id))
    )
    return {activity: number for activity, number in await session.exec(query) if activity}


async def is_picture_of(session: Session, attachment_id: UUID, activity_id: UUID) -> bool:
    """Whether an attachment is a picture of the activity that people may see, or soon may."""
    query = select(Attachment.id).where(
        Attachment.id == attachment_id,
        Attachment.subject_type == "activity",
        Attachment.subject_id == activity_id,
        Attachment.kind == AttachmentKind.picture,
        Attachment.state != AttachmentState.blocked,
    )
    return (await session.exec(query)).first() is not None


async def attachments_of(session: Session, activity_id: UUID) -> list[UUID]:
    query = select(Attachment.id).filter_by(subject_type="activity", subject_id=activity_id)
    return list(await session.exec(query))
