"""Notices: what the service has to tell a person, in the mini-program's inbox."""

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
    """What a notice of more than one noun tells, with its words in ``schemas/notify.py``.

    A noun may have kinds of its own beside these.
    """

    award_paid = "award_paid"
    award_approved = "award_approved"
    award_rejected = "award_rejected"
    award_reversed = "award_reversed"
    public_notice_over = "public_notice_over"
    objection_decided = "objection_decided"
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
    # To those who decide:
    proposals_waiting = "proposals_waiting"
    objections_waiting = "objections_waiting"
    appeals_waiting = "appeals_waiting"


class Notice(SQLModel, table=True):
    """Unique by the outbox message that it came from, so that a second delivery is none.

    It holds ``facts``, which are put into the reader's language when they are read. A row of
    before there were facts holds a ``text`` instead, in Chinese. One that ``merges`` takes up
    what comes later of its kind and subject, as long as it is unread.
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
