"""Awards: points (and volunteer minutes) given for an act under a rule."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


class AwardState(StrEnum):
    pending = "pending"
    available = "available"
    reversed = "reversed"


class AwardReason(StrEnum):
    """Why the award has the points that it has."""

    full = "full"
    cap_day = "cap_day"
    cap_month = "cap_month"
    cap_year = "cap_year"
    overall_day = "overall_day"
    overall_month = "overall_month"
    overall_year = "overall_year"


class Award(SQLModel, table=True):
    """Its transfer in the ledger has the same id; an award of 0 points has no transfer.

    Over a cap the award is still written, with what the cap left and the reason.
    """

    __tablename__ = "awards"
    __table_args__ = (
        CheckConstraint(one_of("state", AwardState), name="state"),
        CheckConstraint(one_of("reason", AwardReason), name="reason"),
        CheckConstraint("points >= 0 AND points <= points_before_caps", name="points"),
        CheckConstraint("minutes >= 0", name="minutes"),
        UniqueConstraint("reference"),
        Index("ix_awards_person_time", "person_id", "awarded_at"),
    )

    id: UUID = id_field()
    reference: str = Field(max_length=160)
    person_id: UUID = Field(foreign_key="people.id")
    org_id: UUID = Field(foreign_key="orgs.id")
    rule_key: str = Field(max_length=40)
    policy_version: int
    points: int
    points_before_caps: int
    minutes: int = 0
    state: str = Field(max_length=20)
    reason: str = Field(max_length=20)
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    proposed_by: UUID | None = Field(default=None, foreign_key="people.id")
    approved_by: UUID | None = Field(default=None, foreign_key="people.id")
    awarded_at: datetime = Field(sa_type=Timestamp)
