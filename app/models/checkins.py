"""Check-ins: who attended. The location is an additional signal, not a proof."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE, ExcludeConstraint
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


def award_column() -> Column[UUID]:
    """A column of the award that a presence has earned, written before the award is."""
    award = ForeignKey("awards.id", deferrable=True, initially="DEFERRED")
    return Column(Uuid(), award, unique=True)


# Check-ins are accepted this long before the start of a session and after its end.
OPENS_BEFORE_START = timedelta(minutes=30)
CLOSES_AFTER_END = timedelta(minutes=30)


class CheckinMethod(StrEnum):
    """How a presence was proven. ``leader``: by the list of who leads a team."""

    rotating_code = "rotating_code"
    poster = "poster"
    steward = "steward"
    leader = "leader"
    device = "device"
    offline = "offline"


class Checkin(SQLModel, table=True):
    """A person's presence at a session of an activity; session 0 is an activity without any.

    ``checked_in_at``: when it was recorded. ``came_at``: when the person came, if that was
    earlier: a device without network noted it. ``recorded_by``: who checked the person in, if not
    the person. ``is_walk_in``: without a place. ``award_id``: null if a rule that pays by time
    waits for the check-out. ``latitude``, ``longitude``: where the phone said it was, in millionths
    of a degree of GCJ-02; emptied after a month. No other column changes: a check-out, a correction
    and an annulment are rows of their own, because the seals of days cover all of them.
    """

    __tablename__ = "checkins"
    __table_args__ = (
        CheckConstraint(one_of("method", CheckinMethod), name="method"),
        CheckConstraint("num_nonnulls(latitude, longitude) IN (0, 2)", name="position"),
        CheckConstraint("recorded_by <> person_id", name="by_others"),
        CheckConstraint("came_at <= checked_in_at", name="came"),
        UniqueConstraint("activity_id", "session", "person_id"),
        Index("ix_checkins_person", "person_id", "id"),
    )

    id: UUID = id_field()
    activity_id: UUID = Field(foreign_key="activities.id")
    # The session of the activity, from 0.
    session: int = 0
    person_id: UUID = Field(foreign_key="people.id")
    method: str = Field(max_length=20)
    distance_m: int | None = None  # from the activity's location, if both are known
    latitude: int | None = None
    longitude: int | None = None
    checked_in_at: datetime = Field(sa_type=Timestamp)
    came_at: datetime | None = Field(default=None, sa_type=Timestamp)
    recorded_by: UUID | None = Field(default=None, foreign_key="people.id")
    is_walk_in: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    # Deferred: the check-in is inserted before its award, because its unique constraint decides
    # which of concurrent check-ins earns one.
    award_id: UUID | None = Field(default=None, sa_column=award_column())


class AttendedTime(SQLModel, table=True):
    """The time for which an award pays by half hours. No moment of a person counts twice.

    ``is_extra``: paid on top of the hours of service (专业服务附加), so it may overlap with them,
    but not with other extras. The row of an award that is rejected or reversed is deleted.
    """

    __tablename__ = "attended_times"
    __table_args__ = (
        CheckConstraint("NOT isempty(during)", name="during"),
        ExcludeConstraint(
            ("person_id", "="),
            ("is_extra", "="),
            ("during", "&&"),
            name="ex_attended_times_overlap",
            using="gist",
        ),
    )

    # Deferred: the time is measured before the award is written, which says what it is worth.
    award_id: UUID = Field(
        sa_column=Column(
            Uuid(),
            ForeignKey("awards.id", deferrable=True, initially="DEFERRED"),
            primary_key=True,
        )
    )
    person_id: UUID
    is_extra: bool
    during: Any = Field(sa_column=Column(TSTZMULTIRANGE(), nullable=False))
