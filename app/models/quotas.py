"""Quotas: how often a person did something on one day, where a day has a maximum."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.models.base import one_of


class QuotaKind(StrEnum):
    proposals = "proposals"  # of awards, by an organizer
    objections = "objections"  # to awards, by a person
    deductions_made = "deductions_made"  # by an organizer
    deductions_of = "deductions_of"  # from a person


class Quota(SQLModel, table=True):
    """How many a person has ``used`` on the Shanghai day ``day``, the last on which any was."""

    __tablename__ = "quotas"
    __table_args__ = (
        CheckConstraint(one_of("kind", QuotaKind), name="kind"),
        CheckConstraint("used > 0", name="used"),
    )

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    kind: str = Field(primary_key=True, max_length=20)
    day: date
    used: int
