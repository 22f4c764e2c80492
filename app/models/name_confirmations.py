"""Real names confirmed by an organizer (网格确认), who knows the person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field


class NameConfirmation(SQLModel, table=True):
    """The person's display name is their real one; deleted when the name changes."""

    __tablename__ = "name_confirmations"
    __table_args__ = (CheckConstraint("person_id <> confirmed_by", name="confirmed_by"),)

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    org_id: UUID = Field(foreign_key="orgs.id")
    confirmed_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
