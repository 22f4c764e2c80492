"""Check-outs: when who had checked in has left. The time between is what rules by time pay."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of
from app.models.checkins import award_column


class Departure(StrEnum):
    """How a check-out was proven.

    ``forgotten``: there was none until the session was over; ``corrected``: an organizer decided
    about the presence before.
    """

    rotating_code = "rotating_code"
    steward = "steward"
    device = "device"
    offline = "offline"
    forgotten = "forgotten"
    corrected = "corrected"


class Checkout(SQLModel, table=True):
    """The end of a presence, at most one of a check-in. Rows are never changed.

    ``left_at``: until when the person was there; ``recorded_at``: when that was recorded, which
    dates the award. ``award_id``: null if nothing was earned.
    """

    __tablename__ = "checkouts"
    __table_args__ = (
        CheckConstraint(one_of("departure", Departure), name="departure"),
        CheckConstraint("recorded_by <> person_id", name="by_others"),
        Index("ix_checkouts_activity", "activity_id", "session"),
        Index("ix_checkouts_person", "person_id", "id"),
    )

    id: UUID = id_field()
    checkin_id: UUID = Field(foreign_key="checkins.id", unique=True)
    activity_id: UUID = Field(foreign_key="activities.id")
    session: int
    person_id: UUID = Field(foreign_key="people.id")
    departure: str = Field(max_length=20)
    left_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    recorded_by: UUID | None = Field(default=None, foreign_key="people.id")
    award_id: UUID | None = Field(default=None, sa_column=award_column())
