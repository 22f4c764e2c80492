"""Merges of two accounts of one person: proposed, then confirmed by another administrator."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class MergeState(StrEnum):
    proposed = "proposed"
    confirmed = "confirmed"
    rejected = "rejected"
    lapsed = "lapsed"


class Merge(Record, table=True):
    """``absorbed_id`` goes into ``kept_id``, who keeps card, name and login.

    ``settled_by``: who confirmed or rejected it; nobody if it lapsed. ``points``, ``minutes`` and
    ``debt``: what was moved at the confirmation, of all programmes together. ``reason`` and
    ``answer`` are erased with either of the two.
    """

    __tablename__ = "merges"
    __table_args__ = (
        CheckConstraint(one_of("state", MergeState), name="state"),
        CheckConstraint(
            "absorbed_id <> kept_id AND created_by NOT IN (absorbed_id, kept_id)"
            " AND settled_by NOT IN (absorbed_id, kept_id)",
            name="parties",
        ),
        CheckConstraint(
            "CASE state WHEN 'proposed' THEN num_nonnulls(settled_by, settled_at) = 0"
            " WHEN 'lapsed' THEN settled_by IS NULL AND settled_at IS NOT NULL"
            " WHEN 'confirmed' THEN num_nonnulls(settled_by, settled_at) = 2"
            " AND settled_by <> created_by"
            " ELSE num_nonnulls(settled_by, settled_at) = 2 END",
            name="settled",
        ),
        CheckConstraint("least(points, minutes, debt) >= 0", name="moved"),
        Index("ix_merges_org", "org_id", "id"),
        Index("ix_merges_kept", "kept_id"),
        Index("ix_merges_lapsing", "lapses_at", postgresql_where=text("state = 'proposed'")),
        Index(
            "uq_merges_open",
            "absorbed_id",
            unique=True,
            postgresql_where=text("state IN ('proposed', 'confirmed')"),
        ),
    )

    absorbed_id: UUID = Field(foreign_key="people.id")
    kept_id: UUID = Field(foreign_key="people.id")
    reason: str | None = Field(default=None, max_length=200)
    state: str = Field(default=MergeState.proposed, max_length=20)
    lapses_at: datetime = Field(sa_type=Timestamp)
    settled_by: UUID | None = Field(default=None, foreign_key="people.id")
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answer: str | None = Field(default=None, max_length=200)
    points: int | None = None
    minutes: int | None = None
    debt: int | None = None
