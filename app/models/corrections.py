"""Corrections of check-ins: other times, or that the presence does not count at all."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field
from app.models.checkins import award_column


class Correction(SQLModel, table=True):
    """An organizer's decision about a check-in; the latest holds. Rows are never changed.

    ``came_at`` and ``left_at``: the presence as it counts now, null if it does not: the check-in
    was annulled. ``came_before`` and ``left_before``: as it counted until then; ``left_before`` is
    null if the person was still there. ``ended_award_id``: the award that was reversed;
    ``award_id``: the one that was given instead. ``corrected_at`` dates both.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        UniqueConstraint("checkin_id", "number"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("num_nonnulls(came_at, left_at) IN (0, 2)", name="presence"),
        CheckConstraint("came_at <= left_at", name="times"),
        CheckConstraint("came_at IS NOT NULL OR award_id IS NULL", name="annulled"),
    )

    id: UUID = id_field()
    checkin_id: UUID = Field(foreign_key="checkins.id")
    number: int
    came_before: datetime | None = Field(default=None, sa_type=Timestamp)
    left_before: datetime | None = Field(default=None, sa_type=Timestamp)
    came_at: datetime | None = Field(default=None, sa_type=Timestamp)
    left_at: datetime | None = Field(default=None, sa_type=Timestamp)
    reason: str = Field(max_length=200)
    ended_award_id: UUID | None = Field(default=None, foreign_key="awards.id", unique=True)
    award_id: UUID | None = Field(default=None, sa_column=award_column())
    created_by: UUID = Field(foreign_key="people.id")
    corrected_at: datetime = Field(sa_type=Timestamp)
