"""Posts: what volunteers of an activity do there, such as the gate or first aid."""

from uuid import UUID

from sqlalchemy import Column, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, datetime, id_field

# Most posts of one activity.
MOST = 50


class Post(SQLModel, table=True):
    """A post of an activity. Its shifts are sessions: each says when, and how many it needs."""

    __tablename__ = "posts"
    __table_args__ = (UniqueConstraint("activity_id", "name"),)

    id: UUID = id_field()
    activity_id: UUID = Field(foreign_key="activities.id", ondelete="CASCADE")
    name: str = Field(max_length=40)
    description: str = Field(max_length=500)
    # What somebody should be able to do, as free words.
    skills: list[str] = Field(
        default_factory=list,
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")),
    )
    created_at: datetime = created_at_field()
