"""Notices: what the service has to tell a person, in the mini-program's inbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field


class Notice(SQLModel, table=True):
    """Unique by the outbox message that it came from, so that a second delivery is none."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_person", "person_id", "id"),)

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    kind: str = Field(max_length=60)
    text: str = Field(max_length=300)
    outbox_id: int = Field(sa_column=Column(BigInteger, unique=True, nullable=False))
    created_at: datetime = created_at_field()
