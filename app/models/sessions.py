"""Sessions of activities: evenings of a series, lessons of a class, shifts of a post."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field

# Most sessions of one activity: a year of evenings and more.
MOST = 400


def _counter() -> int:
    field: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    return field


class ActivitySession(SQLModel, table=True):
    """A part of an activity with its own times, numbered from 1 in the order of creation.

    An activity without any is its own session, number 0. A session with a post is a shift. The
    counters are columns, as those of the activity; sign-ups are counted here only if people sign
    up for single sessions.
    """

    __tablename__ = "activity_sessions"
    __table_args__ = (
        UniqueConstraint("activity_id", "number"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("starts_at < ends_at", name="times"),
        CheckConstraint("ends_at - starts_at <= '24 hours'", name="length"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("signups_confirmed BETWEEN 0 AND capacity", name="seats"),
        CheckConstraint(
            "signups_waitlisted >= 0 AND checkouts BETWEEN 0 AND checkins", name="counters"
        ),
        Index("ix_activity_sessions_start", "activity_id", "starts_at"),
        Index("ix_activity_sessions_when", "starts_at"),
        Index("ix_activity_sessions_post", "post_id", postgresql_where=text("post_id IS NOT NULL")),
    )

    id: UUID = id_field()
    activity_id: UUID = Field(foreign_key="activities.id", ondelete="CASCADE")
    number: int
    post_id: UUID | None = Field(default=None, foreign_key="posts.id")
    title: str | None = Field(default=None, max_length=80)
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    capacity: int | None = None
    signups_confirmed: int = _counter()
    signups_waitlisted: int = _counter()
    last_queue_number: int = _counter()
    checkins: int = _counter()
    checkouts: int = _counter()
    created_at: datetime = created_at_field()
