"""Notices in the inbox of the mini-program."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field


class NoticeKind(StrEnum):
    """Kinds used by several nouns, with their texts in ``schemas/notify.py``.

    A noun may define kinds of its own.
    """

    award_paid = "award_paid"
    award_approved = "award_approved"
    award_without_points = "award_without_points"
    award_rejected = "award_rejected"
    award_reversed = "award_reversed"
    public_notice_over = "public_notice_over"
    objection_decided = "objection_decided"
    objection_ended = "objection_ended"
    points_charged = "points_charged"
    points_refunded = "points_refunded"
    points_deducted = "points_deducted"
    points_expiring = "points_expiring"
    appeal_decided = "appeal_decided"
    redemption_reserved = "redemption_reserved"
    redemption_cancelled = "redemption_cancelled"
    redemption_expired = "redemption_expired"
    promoted = "promoted"
    activity_tomorrow = "activity_tomorrow"
    activity_changed = "activity_changed"
    activity_cancelled = "activity_cancelled"
    # To reviewers:
    proposals_waiting = "proposals_waiting"
    objections_waiting = "objections_waiting"
    appeals_waiting = "appeals_waiting"


class Notice(SQLModel, table=True):
    """Unique by outbox message, so that a second delivery inserts nothing.

    The text is built from ``facts`` in the reader's language when it is read. Old rows have a
    Chinese ``text`` instead. Later notices of the same kind and subject are added to one that
    ``merges`` while it is unread.
    """

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(facts, subject_type, subject_id) IN (0, 3)"
            " AND num_nonnulls(facts, text) = 1",
            name="content",
        ),
        Index("ix_notices_person", "person_id", "id"),
        Index("ix_notices_unread", "person_id", "id", postgresql_where=sql("read_at IS NULL")),
        Index(
            "uq_notices_merging",
            "person_id",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=sql("merges AND read_at IS NULL"),
        ),
    )

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    kind: str = Field(max_length=60)
    subject_type: str | None = Field(default=None, max_length=40)
    subject_id: UUID | None = None
    facts: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    text: str | None = Field(default=None, max_length=300)
    merges: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    read_at: datetime | None = Field(default=None, sa_type=Timestamp)
    outbox_id: int = Field(sa_column=Column(BigInteger, unique=True, nullable=False))
    created_at: datetime = created_at_field()
