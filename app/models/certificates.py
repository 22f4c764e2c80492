"""Certificates of volunteer hours (志愿服务证明) and of series, which anybody may check by code."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field


class Certificate(SQLModel, table=True):
    """``name`` and ``minutes`` as they were when it was issued, for days in Asia/Shanghai.

    Of a series: ``title`` of the activity, and how many ``sessions`` were attended; no minutes.
    """

    __tablename__ = "certificates"
    __table_args__ = (
        CheckConstraint("minutes > 0 OR activity_id IS NOT NULL", name="minutes"),
        CheckConstraint("num_nonnulls(activity_id, title, sessions) IN (0, 3)", name="series"),
        CheckConstraint("sessions > 0", name="sessions"),
        CheckConstraint("since <= until", name="days"),
        Index("ix_certificates_person", "person_id", "id"),
    )

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    code: str = Field(max_length=20, unique=True)
    name: str = Field(max_length=40)
    since: date
    until: date
    minutes: int
    activity_id: UUID | None = Field(default=None, foreign_key="activities.id")
    title: str | None = Field(default=None, max_length=80)
    sessions: int | None = None
    created_at: datetime = created_at_field()
