"""Reminders of activities that were sent to the people who signed up."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, one_of


class ReminderKind(StrEnum):
    """How long before the start: on the day before, or in the hour before."""

    day = "day"
    hour = "hour"


class SignupReminder(SQLModel, table=True):
    """A reminder that was sent. ``day``: on which it starts; ``session``: of the activity, from 0.

    An activity that is moved to another day is told again.
    """

    __tablename__ = "signup_reminders"
    __table_args__ = (CheckConstraint(one_of("kind", ReminderKind), name="kind"),)

    signup_id: UUID = Field(primary_key=True, foreign_key="signups.id")
    day: date = Field(primary_key=True)
    session: int = Field(
        default=0, primary_key=True, sa_column_kwargs={"server_default": text("0")}
    )
    kind: str = Field(
        default=ReminderKind.day,
        max_length=10,
        primary_key=True,
        sa_column_kwargs={"server_default": text("'day'")},
    )
    created_at: datetime = created_at_field()
