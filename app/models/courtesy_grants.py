"""Grants of courtesies to a cohort (大礼包): each person claims the package once."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, one_of
from app.models.person_categories import PeopleCategory

MOST_PEOPLE, MOST_COURTESIES = 500, 10


class CourtesyGrantState(StrEnum):
    """``revoked``: what was not claimed before cannot be claimed any more."""

    granted = "granted"
    revoked = "revoked"


class CourtesyGrant(Record, table=True):
    """A package of courtesies. ``category``: it went to whoever had it; NULL: to a list."""

    __tablename__ = "courtesy_grants"
    __table_args__ = (
        CheckConstraint(one_of("state", CourtesyGrantState), name="state"),
        CheckConstraint(one_of("category", PeopleCategory), name="category"),
        Index("ix_courtesy_grants_org", "org_id", "id"),
    )

    title: str = Field(max_length=80)
    category: str | None = Field(default=None, max_length=20)
    claim_until: datetime = Field(sa_type=Timestamp)
    state: str = Field(
        default=CourtesyGrantState.granted,
        max_length=20,
        sa_column_kwargs={"server_default": "granted"},
    )


class CourtesyGrantItem(SQLModel, table=True):
    """A courtesy of a package."""

    __tablename__ = "courtesy_grant_items"

    grant_id: UUID = Field(primary_key=True, foreign_key="courtesy_grants.id")
    courtesy_id: UUID = Field(primary_key=True, foreign_key="courtesies.id")


class CourtesyGrantee(SQLModel, table=True):
    """Somebody who has a package. ``claimed_at``: NULL: not claimed yet."""

    __tablename__ = "courtesy_grantees"
    __table_args__ = (Index("ix_courtesy_grantees_person", "person_id", "grant_id"),)

    grant_id: UUID = Field(primary_key=True, foreign_key="courtesy_grants.id")
    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    claimed_at: datetime | None = Field(default=None, sa_type=Timestamp)
