"""No-shows: who had a place at an activity and did not come."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field


class NoShow(SQLModel, table=True):
    """A place that was not used. Rows are never changed.

    ``deduction_id``: the deduction that it brought, which counts as a strike unless it is revoked;
    null if the policy in force had no rule for it.
    """

    __tablename__ = "no_shows"
    __table_args__ = (Index("ix_no_shows_person", "person_id", "signup_id"),)

    signup_id: UUID = Field(primary_key=True, foreign_key="signups.id")
    person_id: UUID = Field(foreign_key="people.id")
    activity_id: UUID = Field(foreign_key="activities.id", index=True)
    deduction_id: UUID | None = Field(default=None, foreign_key="deductions.id", unique=True)
    created_at: datetime = created_at_field()
