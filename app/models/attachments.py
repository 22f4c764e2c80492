"""Attachments: pictures and documents of any subject. Their bytes are in the store."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class AttachmentKind(StrEnum):
    picture = "picture"
    document = "document"  # a PDF


class AttachmentState(StrEnum):
    """``checking``: the result of WeChat's check is not known yet."""

    checking = "checking"
    ready = "ready"
    blocked = "blocked"


class Attachment(Record, table=True):
    """``size`` (bytes) and ``sha256`` are those of the stored file, not of the uploaded one.

    ``slot`` counts from 1 to the limit of the subject, so that a constraint enforces this limit.
    ``trace_id`` is WeChat's id of the check, ``asked_at`` the time of its request.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint(one_of("kind", AttachmentKind), name="kind"),
        CheckConstraint(one_of("state", AttachmentState), name="state"),
        CheckConstraint("size > 0 AND slot > 0", name="numbers"),
        CheckConstraint(
            "num_nonnulls(width, height) = CASE kind WHEN 'picture' THEN 2 ELSE 0 END",
            name="extent",
        ),
        UniqueConstraint("subject_type", "subject_id", "slot"),
        UniqueConstraint("trace_id"),
        Index("ix_attachments_subject", "subject_type", "subject_id", "id"),
        Index("ix_attachments_creator", "created_by", "id"),
        Index("ix_attachments_checking", "asked_at", postgresql_where=text("state = 'checking'")),
    )

    subject_type: str = Field(max_length=40)
    subject_id: UUID
    slot: int
    kind: str = Field(max_length=20)
    content_type: str = Field(max_length=40)
    size: int
    sha256: str = Field(max_length=64)
    width: int | None = None
    height: int | None = None
    state: str = Field(max_length=20)
    trace_id: str | None = Field(default=None, max_length=100)
    asked_at: datetime | None = Field(default=None, sa_type=Timestamp)
