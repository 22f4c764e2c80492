"""Flags: check-ins that an organizer should look at. Nothing follows from one alone."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class FlagKind(StrEnum):
    """``travel``: nobody gets there so fast. ``coordinates``: many phones at the very same spot."""

    travel = "travel"
    coordinates = "coordinates"


class FlagState(StrEnum):
    open = "open"
    dismissed = "dismissed"
    confirmed = "confirmed"


class Flag(Record, table=True):
    """A doubt about a check-in, which a job found; decided once.

    Of ``travel``: ``other_id`` is the check-in before it, ``distance_m`` and ``seconds`` what lies
    between the two. Of ``coordinates``: ``people`` is how many were at the same spot.
    """

    __tablename__ = "flags"
    __table_args__ = (
        CheckConstraint(one_of("kind", FlagKind), name="kind"),
        CheckConstraint(one_of("state", FlagState), name="state"),
        CheckConstraint("num_nonnulls(other_id, distance_m, seconds) IN (0, 3)", name="travel"),
        CheckConstraint("(kind = 'travel') = (people IS NULL)", name="coordinates"),
        CheckConstraint(
            "num_nonnulls(decided_by, decided_at, reason) = "
            "CASE state WHEN 'open' THEN 0 ELSE 3 END",
            name="decided",
        ),
        CheckConstraint("decided_by <> person_id", name="by_others"),
        UniqueConstraint("checkin_id", "kind"),
        Index("ix_flags_org_state", "org_id", "state", "id"),
        Index("ix_flags_person", "person_id"),
    )

    created_by: UUID | None = Field(  # type: ignore[assignment]
        default=None, foreign_key="people.id"
    )  # null: a job
    kind: str = Field(max_length=20)
    state: str = Field(default=FlagState.open, max_length=20)
    activity_id: UUID = Field(foreign_key="activities.id")
    checkin_id: UUID = Field(foreign_key="checkins.id")
    person_id: UUID = Field(foreign_key="people.id")
    other_id: UUID | None = Field(default=None, foreign_key="checkins.id")
    distance_m: int | None = None
    seconds: int | None = None
    people: int | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="people.id")
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    reason: str | None = Field(default=None, max_length=200)
