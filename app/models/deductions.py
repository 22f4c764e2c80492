"""Deductions: points taken for a breach of the rules. An appeal against one is a case."""

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
    """``points`` of the ``points_asked`` were taken: at most those that the person had.

    The transfer in the ledger has the same id; there is none if nothing was taken. The same breach,
    identified by its evidence, is deducted once.
    """

    __tablename__ = "deductions"
    __table_args__ = (
        CheckConstraint(one_of("state", DeductionState), name="state"),
        CheckConstraint("points BETWEEN 0 AND points_asked", name="points"),
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
