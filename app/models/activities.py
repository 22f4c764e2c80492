"""Activities: what residents sign up to and check in at."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Integer, Text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class Category(StrEnum):
    """The ten kinds of project of the 靖江 document (part 二.4)."""

    thought_guidance = "thought_guidance"
    culture = "culture"
    health = "health"
    employment = "employment"
    social_life = "social_life"
    rights_protection = "rights_protection"
    safety = "safety"
    social_practice = "social_practice"
    volunteer_service = "volunteer_service"
    property_affairs = "property_affairs"


class ActivityStatus(StrEnum):
    draft = "draft"
    published = "published"
    cancelled = "cancelled"


class Activity(SQLModel, table=True):
    """The counters are kept rows: they change in the transaction that changes what they count."""

    __tablename__ = "activities"
    __table_args__ = (
        CheckConstraint(one_of("category", Category), name="category"),
        CheckConstraint(one_of("status", ActivityStatus), name="status"),
        CheckConstraint("starts_at < ends_at", name="times"),
        CheckConstraint("signup_opens_at < signup_closes_at", name="signup_times"),
        CheckConstraint("capacity > 0", name="capacity"),
        # The last line of defence against an oversold place.
        CheckConstraint("signups_confirmed BETWEEN 0 AND capacity", name="seats"),
        CheckConstraint("signups_waitlisted >= 0 AND checkins >= 0", name="counters"),
    )

    id: UUID = id_field()
    # The short number that a check-in code carries (4 bytes).
    serial: int = Field(
        default=None, sa_column=Column(Integer, Identity(always=True), unique=True, nullable=False)
    )
    org_id: UUID = Field(foreign_key="orgs.id", index=True)
    org_path: str = Field(sa_column=Column(Text(collation="C"), nullable=False))
    title: str = Field(max_length=80)
    description: str = Field(max_length=5000)
    category: str = Field(max_length=30)
    status: str = Field(default=ActivityStatus.draft, max_length=20)
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    signup_opens_at: datetime = Field(sa_type=Timestamp)
    signup_closes_at: datetime = Field(sa_type=Timestamp)
    capacity: int | None = None
    rule_key: str = Field(max_length=40)
    location_name: str | None = Field(default=None, max_length=100)
    latitude: float | None = None  # GCJ-02, as WeChat's map picks it
    longitude: float | None = None
    radius_m: int | None = None
    signups_confirmed: int = 0
    signups_waitlisted: int = 0
    # Numbers the waiting list; never reused, so that the order is for ever.
    last_queue_number: int = 0
    checkins: int = 0
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()


class Listed(SQLModel, table=True):
    """An activity's place in one of its lists, each ordered by start.

    ``list`` is an organisation's path, and the same followed by a category, of every node
    from ``/`` (everywhere) down to the organisation's own; and ``~`` with each character
    and each pair of neighbours of the title. A trigger on ``activities`` writes the rows:
    the service's role may only read them. See decision 0013.
    """

    __tablename__ = "activity_lists"

    list: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    status: str = Field(max_length=20, primary_key=True)
    starts_at: datetime = Field(sa_type=Timestamp, primary_key=True)
    activity_id: UUID = Field(
        primary_key=True, foreign_key="activities.id", ondelete="CASCADE", index=True
    )
