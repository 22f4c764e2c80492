"""Certificates of volunteer hours (志愿服务证明), which anybody may check by their code."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field


class Certificate(SQLModel, table=True):
    """``name`` and ``minutes`` as they were when it was issued, for days in Asia/Shanghai."""

    __tablename__ = "certificates"
    __table_args__ = (
        CheckConstraint("minutes > 0", name="minutes"),
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
    created_at: datetime = created_at_field()
