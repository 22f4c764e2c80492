"""Copies of all that is kept of a person (PIPL 45): made by a job, and forgotten after a day."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field


class DataCopy(SQLModel, table=True):
    """``content``: a zip; None until the job has made it."""

    __tablename__ = "data_copies"
    __table_args__ = (
        CheckConstraint("num_nonnulls(content, ready_at) IN (0, 2)", name="content"),
        Index("uq_data_copies_person", "person_id", unique=True),
    )

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
    ready_at: datetime | None = Field(default=None, sa_type=Timestamp)
    content: bytes | None = None
