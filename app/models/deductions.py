"""Deductions: what a breach of the rules cost somebody, and the appeal against it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class DeductionState(StrEnum):
    standing = "standing"
    appealed = "appealed"
    upheld = "upheld"
    revoked = "revoked"


class Deduction(Record, table=True):
    """``points`` were taken of the ``points_asked``: never more than there were.

    Its transfer in the ledger has the same id; where there was nothing, there is none. The
    same breach, told by its evidence, costs once.
    """

    __tablename__ = "deductions"
    __table_args__ = (
        CheckConstraint(one_of("state", DeductionState), name="state"),
        CheckConstraint("points BETWEEN 0 AND points_asked", name="points"),
        CheckConstraint("decided_by IS DISTINCT FROM created_by", name="decided_by"),
        UniqueConstraint("person_id", "unit_id", "rule_key", "evidence"),
        Index("ix_deductions_person", "person_id", "id"),
        Index("ix_deductions_org_state", "org_id", "state", "id"),
    )

    person_id: UUID = Field(foreign_key="people.id")
    unit_id: int
    rule_key: str = Field(max_length=40)
    policy_version: int
    title: str = Field(max_length=60)
    points_asked: int
    points: int
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(max_length=20)
    appeal_until: datetime = Field(sa_type=Timestamp)
    appeal: str | None = Field(default=None, max_length=500)
    appealed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    decision: str | None = Field(default=None, max_length=500)
    decided_by: UUID | None = Field(default=None, foreign_key="people.id")
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
