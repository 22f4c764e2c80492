"""Pauses: how long somebody signs up to nothing, after no-shows."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field


class SignupPause(SQLModel, table=True):
    """The latest pause of a person, by the strikes that stand."""

    __tablename__ = "signup_pauses"

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    until: datetime = Field(sa_type=Timestamp)
    created_at: datetime = created_at_field()
