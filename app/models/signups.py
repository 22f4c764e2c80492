"""Sign-ups: a person's place at an activity, or in its waiting list."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class SignupStatus(StrEnum):
    confirmed = "confirmed"
    waitlisted = "waitlisted"
    pending = "pending"  # waits for the organizer's approval
    offered = "offered"  # holds a place until ``offer_until``, to be accepted until then
    declined = "declined"  # by the organizer
    cancelled = "cancelled"


# Most friends that one sign-up may bring.
MOST_FRIENDS = 5
MAX_FRIEND_NAME = 40  # characters
MAX_FRIEND_NAMES = MOST_FRIENDS * (MAX_FRIEND_NAME + 1)


class Signup(SQLModel, table=True):
    """Cancelled rows are kept. A person has at most one other row for a session of an activity.

    ``session``: 0: for the activity as a whole. ``friends``: how many come along, each in a place
    of their own; ``friend_names``: their names, one a line, told at the door.
    ``offer_until``: until when a place that is offered is to be accepted. ``given_at``: when who
    waited for a place, or for approval, got it; null: with the sign-up, or by a swap.
    """

    __tablename__ = "signups"
    __table_args__ = (
        CheckConstraint(one_of("status", SignupStatus), name="status"),
        CheckConstraint("(status = 'waitlisted') <= (queue_number IS NOT NULL)", name="queue"),
        CheckConstraint(f"friends BETWEEN 0 AND {MOST_FRIENDS}", name="friends"),
        CheckConstraint("(status = 'offered') = (offer_until IS NOT NULL)", name="offer"),
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
        Index("ix_signups_offers", "offer_until", postgresql_where=text("status = 'offered'")),
    )

    id: UUID = id_field()
    activity_id: UUID = Field(foreign_key="activities.id")
    session: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    person_id: UUID = Field(foreign_key="people.id")
    status: str = Field(max_length=20)
    queue_number: int | None = None
    friends: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    friend_names: str | None = Field(default=None, max_length=MAX_FRIEND_NAMES)
    offer_until: datetime | None = Field(default=None, sa_type=Timestamp)
    given_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = created_at_field()
    cancelled_at: datetime | None = Field(default=None, sa_type=Timestamp)
