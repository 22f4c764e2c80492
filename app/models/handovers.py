"""Hand-overs (接送交接): who fetched a child from a session of a class, and the codes for it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class HandoverProof(StrEnum):
    """What showed that the child might leave. ``alone``: the guardian allows it for this child."""

    guardian_card = "guardian_card"
    pickup_card = "pickup_card"
    handover_code = "handover_code"
    alone = "alone"


class HandoverCode(SQLModel, table=True):
    """8 digits with which a named person fetches a child from one session, once, today.

    Of the code only a keyed hash (HMAC) is kept: a plain hash of 8 digits could be searched.
    """

    __tablename__ = "handover_codes"
    __table_args__ = (UniqueConstraint("pickup_id", "activity_id", "session"),)

    id: UUID = id_field()
    pickup_id: UUID = Field(foreign_key="pickups.id", ondelete="CASCADE")
    child_id: UUID = Field(foreign_key="children.person_id", ondelete="CASCADE", index=True)
    activity_id: UUID = Field(foreign_key="activities.id")
    session: int
    code_index: bytes
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = created_at_field()


class Handover(SQLModel, table=True):
    """A child left a session: at most one row for a check-in. Rows are never changed.

    ``fetched_by``: the account of who fetched the child; ``fetcher_sealed``: name and relation of
    a named person, encrypted, emptied when the child is erased.
    """

    __tablename__ = "handovers"
    __table_args__ = (
        CheckConstraint(one_of("proof", HandoverProof), name="proof"),
        CheckConstraint("handed_over_by NOT IN (child_id, fetched_by)", name="by_others"),
        CheckConstraint(
            "(fetched_by IS NOT NULL) = (proof IN ('guardian_card', 'pickup_card'))",
            name="fetched_by",
        ),
        Index("ix_handovers_activity", "activity_id", "session"),
        Index("ix_handovers_child", "child_id", "id"),
    )

    id: UUID = id_field()
    checkin_id: UUID = Field(foreign_key="checkins.id", unique=True)
    activity_id: UUID = Field(foreign_key="activities.id")
    session: int
    child_id: UUID = Field(foreign_key="people.id")
    proof: str = Field(max_length=20)
    fetched_by: UUID | None = Field(default=None, foreign_key="people.id")
    fetcher_sealed: bytes | None = None
    handed_over_by: UUID = Field(foreign_key="people.id")
    handed_over_at: datetime = Field(sa_type=Timestamp)
