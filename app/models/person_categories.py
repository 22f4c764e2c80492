"""Categories of people (分类): who is a volunteer, a rider, a blood donor, and until when."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class PeopleCategory(StrEnum):
    """What a person is known for, beside the tier of the card."""

    volunteer = "volunteer"
    council = "council"
    club_core = "club_core"
    rider = "rider"
    student = "student"
    emergency_team = "emergency_team"
    blood_donor = "blood_donor"


class PersonCategory(Record, table=True):
    """An organisation says that a person is of a category, ``until`` a Shanghai day, inclusive.

    ``ended_at``: an organizer ended it before. A person has each category of an organisation once.
    """

    __tablename__ = "person_categories"
    __table_args__ = (
        CheckConstraint(one_of("category", PeopleCategory), name="category"),
        CheckConstraint("person_id <> created_by", name="own"),
        Index(
            "uq_person_categories_person",
            "person_id",
            "org_id",
            "category",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_person_categories_org", "org_id", "id"),
        Index("ix_person_categories_own", "person_id", "id"),
    )

    person_id: UUID = Field(foreign_key="people.id")
    category: str = Field(max_length=20)
    until: date
    reason: str = Field(max_length=200)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
