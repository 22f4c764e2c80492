"""The times that people hold by their places at shifts."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Uuid
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, datetime


class ShiftHold(SQLModel, table=True):
    """The time of a shift at which a sign-up has a place, or is offered one.

    No two of one person overlap. The row is deleted with the place.
    """

    __tablename__ = "shift_holds"
    __table_args__ = (
        CheckConstraint("NOT isempty(during)", name="during"),
        ExcludeConstraint(
            ("person_id", "="),
            ("during", "&&"),
            name="ex_shift_holds_overlap",
            using="gist",
        ),
    )

    # Deferred: a sign-up is written after it is known that nothing clashes.
    signup_id: UUID = Field(
        sa_column=Column(
            Uuid(),
            ForeignKey("signups.id", deferrable=True, initially="DEFERRED"),
            primary_key=True,
        )
    )
    person_id: UUID = Field(foreign_key="people.id")
    during: Any = Field(sa_column=Column(TSTZRANGE(), nullable=False))
    created_at: datetime = created_at_field()
