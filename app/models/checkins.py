"""Check-ins: who was there. Location is a signal beside it, never the proof."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint, Uuid
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


class CheckinMethod(StrEnum):
    rotating_code = "rotating_code"


class Checkin(SQLModel, table=True):
    __tablename__ = "checkins"
    __table_args__ = (
        CheckConstraint(one_of("method", CheckinMethod), name="method"),
        UniqueConstraint("activity_id", "session", "person_id"),
        Index("ix_checkins_person", "person_id", "id"),
    )

    id: UUID = id_field()
    activity_id: UUID = Field(foreign_key="activities.id")
    # Which meeting of the activity; the first is 0.
    session: int = 0
    person_id: UUID = Field(foreign_key="people.id")
    method: str = Field(max_length=20)
    distance_m: int | None = None  # from the activity's location, where both are known
    checked_in_at: datetime = Field(sa_type=Timestamp)
    # Deferred: the check-in is the guard and comes before the award that it earns.
    award_id: UUID = Field(
        sa_column=Column(
            Uuid(),
            ForeignKey("awards.id", deferrable=True, initially="DEFERRED"),
            nullable=False,
            unique=True,
        )
    )
