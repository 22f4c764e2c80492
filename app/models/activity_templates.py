"""Templates of activities: what an organisation holds again and again."""

from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.models.activities import Category, SignupFor
from app.models.base import Record, one_of


class ActivityTemplate(Record, table=True):
    """Organisations below may use it too.

    ``minutes``: how long the activity lasts, without ``sessions``. These are objects with
    ``title``, ``after_minutes`` (from the start of the activity), ``minutes`` and ``capacity``.
    """

    __tablename__ = "activity_templates"
    __table_args__ = (
        CheckConstraint(one_of("category", Category), name="category"),
        CheckConstraint("minutes BETWEEN 1 AND 1440", name="minutes"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint(one_of("signup_for", SignupFor), name="signup_for"),
        CheckConstraint("minimum_attendance BETWEEN 1 AND 400", name="minimum_attendance"),
        Index("ix_activity_templates_org", "org_id", "id"),
    )

    name: str = Field(max_length=80)
    title: str = Field(max_length=80)
    description: str = Field(max_length=5000)
    category: str = Field(max_length=30)
    minutes: int
    capacity: int | None = None
    rule_key: str = Field(max_length=40)
    location_name: str | None = Field(default=None, max_length=100)
    latitude: float | None = None  # GCJ-02
    longitude: float | None = None
    radius_m: int | None = None
    signup_for: str = Field(
        default=SignupFor.activity,
        max_length=20,
        sa_column_kwargs={"server_default": text("'activity'")},
    )
    checks_out: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    tags: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    minimum_attendance: int | None = None
    sessions: list[dict[str, Any]] = Field(
        default_factory=list,
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")),
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
