"""Copying an activity into a new draft."""

from datetime import timedelta
from uuid import UUID

from app.core.db import Session
from app.core.ids import new_id
from app.models.posts import Post
from app.models.sessions import ActivitySession
from app.queries import posts as post_queries
from app.queries import sessions as session_queries
from app.schemas.activities import ActivityOut, content_of
from app.schemas.organizing import ActivityCopyIn
from app.services import activities


async def copy(tx: Session, caller: UUID, activity_id: UUID, body: ActivityCopyIn) -> ActivityOut:
    """Create a draft with the same content, all times shifted; without pictures and people.

    With its posts, and its sessions, which are numbered from 1 again. Raises ActivityNotFound,
    Invalid (rule, times).
    """
    source = await activities.organized(tx, caller, activity_id)
    shift = body.starts_at - source.starts_at
    times = ("starts_at", "ends_at", "signup_opens_at", "signup_closes_at")
    shifted = {name: getattr(source, name) + shift for name in times}
    content = content_of(source, org_id=source.org_id, **shifted)
    origin = ("activity", source.id)
    made = await activities.create(tx, caller, content, origin, sessions=source.sessions)
    await _copy_sessions(tx, source.id, made.id, shift)
    return made


async def _copy_sessions(tx: Session, source: UUID, copied: UUID, shift: timedelta) -> None:
    posts: dict[UUID | None, UUID | None] = {None: None}
    for one in await post_queries.of_activity(tx, source):
        posts[one.id] = made = new_id()
        same = one.model_dump(include={"name", "description", "skills"})
        await post_queries.save(tx, Post(id=made, activity_id=copied, **same))
    sessions = [
        ActivitySession(
            activity_id=copied,
            number=number,
            post_id=posts[one.post_id],
            title=one.title,
            starts_at=one.starts_at + shift,
            ends_at=one.ends_at + shift,
            capacity=one.capacity,
        )
        for number, one in enumerate(await session_queries.of_activity(tx, source), start=1)
    ]
    await session_queries.insert(tx, sessions)
