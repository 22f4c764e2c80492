"""SQL of messages to the participants of an activity."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import Session
from app.models.activity_messages import ActivityMessage


async def count_since(session: Session, activity_id: UUID, since: datetime) -> int:
    """Count the messages of an activity; exact while the activity is locked."""
    query = select(func.count()).where(
        ActivityMessage.activity_id == activity_id, col(ActivityMessage.created_at) >= since
    )
    return (await session.exec(query)).one()
