"""Swaps of shifts: who has a place at one offers it to who has another, or gives it away."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.base import Record, Timestamp, datetime, one_of


class SwapState(StrEnum):
    proposed = "proposed"
    accepted = "accepted"
    refused = "refused"
    withdrawn = "withdrawn"
    expired = "expired"


class Swap(Record, table=True):
    """``created_by`` offers the place of ``signup_id``.

    ``with_signup_id``: the place that is asked for in exchange, of the person ``asked_id``; both
    are null if anybody may take the offered one. ``accepted_by``: who did. ``expires_at``: when the
    earlier of the shifts starts.
    """

    __tablename__ = "swaps"
    __table_args__ = (
        CheckConstraint(one_of("state", SwapState), name="state"),
        CheckConstraint("(with_signup_id IS NULL) = (asked_id IS NULL)", name="asked"),
        CheckConstraint("asked_id <> created_by AND accepted_by <> created_by", name="two"),
        CheckConstraint("(accepted_by IS NOT NULL) = (state = 'accepted')", name="accepted"),
        # One offer of a place at a time.
        Index(
            "uq_swaps_proposed",
            "signup_id",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
        Index("ix_swaps_due", "expires_at", postgresql_where=text("state = 'proposed'")),
        Index("ix_swaps_activity", "activity_id", "id"),
        Index("ix_swaps_person", "created_by", "id"),
        Index("ix_swaps_asked", "asked_id", "id", postgresql_where=text("asked_id IS NOT NULL")),
    )

    activity_id: UUID = Field(foreign_key="activities.id")
    shift_id: UUID = Field(foreign_key="activity_sessions.id", ondelete="CASCADE")
    signup_id: UUID = Field(foreign_key="signups.id")
    with_signup_id: UUID | None = Field(default=None, foreign_key="signups.id")
    asked_id: UUID | None = Field(default=None, foreign_key="people.id")
    accepted_by: UUID | None = Field(default=None, foreign_key="people.id")
    state: str = Field(default=SwapState.proposed, max_length=20)
    expires_at: datetime = Field(sa_type=Timestamp)
