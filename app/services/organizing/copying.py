"""Copying an activity into a new draft."""

from uuid import UUID

from app.core.db import Session
from app.schemas.activities import ActivityOut, content_of
from app.schemas.organizing import ActivityCopyIn
from app.services import activities


async def copy(tx: Session, caller: UUID, activity_id: UUID, body: ActivityCopyIn) -> ActivityOut:
    """Create a draft with the same content, all times shifted; without pictures and people.

    Raises ActivityNotFound, Invalid (rule, times).
    """
    source = await activities.organized(tx, caller, activity_id)
    shift = body.starts_at - source.starts_at
    times = ("starts_at", "ends_at", "signup_opens_at", "signup_closes_at")
    shifted = {name: getattr(source, name) + shift for name in times}
    content = content_of(source, org_id=source.org_id, **shifted)
    return await activities.create(tx, caller, content, ("activity", source.id))
