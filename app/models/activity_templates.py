"""Templates of activities: what an organisation holds again and again."""

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.activities import Category
from app.models.base import Record, one_of


class ActivityTemplate(Record, table=True):
    """Organisations below may use it too. ``minutes``: how long the activity lasts."""

    __tablename__ = "activity_templates"
    __table_args__ = (
        CheckConstraint(one_of("category", Category), name="category"),
        CheckConstraint("minutes BETWEEN 1 AND 1440", name="minutes"),
        CheckConstraint("capacity > 0", name="capacity"),
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
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
