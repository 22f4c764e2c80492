"""Sign-ups: a person's place at an activity, or in its waiting list."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class SignupStatus(StrEnum):
    confirmed = "confirmed"
    waitlisted = "waitlisted"
    pending = "pending"  # waits for the organizer's approval
    cancelled = "cancelled"


class Signup(SQLModel, table=True):
    """Cancelled rows are kept. A person has at most one other row for a session of an activity.

    ``session``: 0: for the activity as a whole.
    """

    __tablename__ = "signups"
    __table_args__ = (
        CheckConstraint(one_of("status", SignupStatus), name="status"),
        CheckConstraint("(status = 'waitlisted') <= (queue_number IS NOT NULL)", name="queue"),
        Index(
            "uq_signups_living",
            "activity_id",
            "person_id",
            "session",
            unique=True,
            postgresql_where=text("status <> 'cancelled'"),
        ),
        Index(
            "ix_signups_queue",
            "activity_id",
            "session",
            "queue_number",
            postgresql_where=text("status = 'waitlisted'"),
        ),
        Index(
            "ix_signups_cancelled",
            "activity_id",
            "id",
            postgresql_where=text("status = 'cancelled'"),
        ),
        Index("ix_signups_person", "person_id", "id"),
    )

    id: UUID = id_field()
    activity_id: UUID = Field(foreign_key="activities.id")
    session: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    person_id: UUID = Field(foreign_key="people.id")
    status: str = Field(max_length=20)
    queue_number: int | None = None
    created_at: datetime = created_at_field()
    cancelled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class SignupReminder(SQLModel, table=True):
    """A reminder sent on the day before ``day``, the day on which the activity starts."""

    __tablename__ = "signup_reminders"

    signup_id: UUID = Field(primary_key=True, foreign_key="signups.id")
    day: date = Field(primary_key=True)
    created_at: datetime = created_at_field()
