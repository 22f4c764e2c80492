"""Co-organizers: people who may edit one activity and show its check-in code, without a role."""

from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from app.models.base import Record


class CoOrganizer(Record, table=True):
    """The row is deleted when the right ends; ``activity_organizers`` keeps that it was there."""

    __tablename__ = "co_organizers"
    __table_args__ = (UniqueConstraint("activity_id", "person_id"),)

    activity_id: UUID = Field(foreign_key="activities.id", ondelete="CASCADE")
    person_id: UUID = Field(foreign_key="people.id", index=True)
