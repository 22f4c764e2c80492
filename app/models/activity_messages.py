"""Messages of organizers to everybody who has signed up to an activity."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from app.models.base import Record


class ActivityMessage(Record, table=True):
    """Append-only. ``recipients``: how many people it was sent to."""

    __tablename__ = "activity_messages"
    __table_args__ = (
        CheckConstraint("recipients > 0", name="recipients"),
        Index("ix_activity_messages_activity", "activity_id", "id"),
    )

    activity_id: UUID = Field(foreign_key="activities.id")
    text: str = Field(max_length=200)
    recipients: int
