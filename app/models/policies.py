"""Policies: the 积分管理办法 as rows; an award names the rule and the version it came from."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field


class Policy(SQLModel, table=True):
    """A version of the rules and its overall caps, in points."""

    __tablename__ = "policies"
    __table_args__ = (
        CheckConstraint("0 < cap_day AND cap_day <= emergency_cap_day", name="cap_day"),
        CheckConstraint("cap_day <= cap_month AND cap_month <= cap_year", name="cap_order"),
    )

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    effective_from: datetime = Field(sa_type=Timestamp)
    cap_day: int
    emergency_cap_day: int
    cap_month: int
    cap_year: int
    lot_months: int
    created_at: datetime = created_at_field()


class PolicyRule(SQLModel, table=True):
    """What an act is worth: ``points`` per ``per``; caps are points a person may earn by it."""

    __tablename__ = "policy_rules"
    __table_args__ = (CheckConstraint("points > 0", name="points"),)

    version: int = Field(primary_key=True, foreign_key="policies.version")
    key: str = Field(primary_key=True, max_length=40)
    name_zh: str = Field(max_length=60)
    category: str = Field(max_length=40)
    per: str = Field(max_length=20)
    points: int
    cap_day: int | None = None
    cap_month: int | None = None
    cap_year: int | None = None
    evidence: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    notes: str = Field(default="", max_length=300)


class PolicyTier(SQLModel, table=True):
    """A tier of the 青享卡: what the last twelve months must hold to reach it."""

    __tablename__ = "policy_tiers"

    version: int = Field(primary_key=True, foreign_key="policies.version")
    key: str = Field(primary_key=True, max_length=20)
    name_zh: str = Field(max_length=20)
    rank: int
    min_points_12m: int
    min_hours_12m: int
    benefits_zh: str = Field(max_length=300)
