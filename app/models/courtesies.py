"""Courtesies (分级分类礼遇): what an organisation offers by tier and category, without points."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, id_field, one_of
from app.models.person_categories import PeopleCategory

MOST_CELLS, MOST_PLACES, MOST_QUOTA = 40, 50, 1000


class CourtesyState(StrEnum):
    draft = "draft"
    published = "published"
    ended = "ended"


class CourtesyPeriod(StrEnum):
    """The period of a quota. ``run``: from the beginning of the courtesy to its end."""

    month = "month"
    quarter = "quarter"
    year = "year"
    run = "run"


class Courtesy(Record, table=True):
    """It is claimed from ``starts_at`` until ``ends_at``. ``state`` ended: nobody claims it.

    ``venue``: a place of the organisation, where its organizers record the uses. ``choice_group``:
    of the courtesies of the organisation in one group a person has one a year.
    """

    __tablename__ = "courtesies"
    __table_args__ = (
        CheckConstraint(one_of("state", CourtesyState), name="state"),
        CheckConstraint(one_of("period", CourtesyPeriod), name="period"),
        CheckConstraint("starts_at < ends_at", name="times"),
        Index("ix_courtesies_org", "org_id", "id"),
        Index("ix_courtesies_open", "id", postgresql_where=text("state = 'published'")),
    )

    name: str = Field(max_length=60)
    name_en: str | None = Field(default=None, max_length=60)
    details: str | None = Field(default=None, max_length=500)
    venue: str | None = Field(default=None, max_length=100)
    period: str = Field(max_length=20)
    choice_group: str | None = Field(default=None, max_length=40)
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    state: str = Field(
        default=CourtesyState.draft, max_length=20, sa_column_kwargs={"server_default": "draft"}
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})


class CourtesyCell(SQLModel, table=True):
    """A cell of the matrix: who may claim how often in a period.

    ``category`` NULL: everybody; ``min_tier`` NULL: any tier. Of several cells that apply to a
    person the one with the largest quota counts.
    """

    __tablename__ = "courtesy_cells"
    __table_args__ = (
        CheckConstraint(one_of("category", PeopleCategory), name="category"),
        CheckConstraint("quota > 0", name="quota"),
        UniqueConstraint("courtesy_id", "category", "min_tier", postgresql_nulls_not_distinct=True),
    )

    id: UUID = id_field()
    courtesy_id: UUID = Field(foreign_key="courtesies.id", ondelete="CASCADE")
    position: int  # in the order of the draft
    category: str | None = Field(default=None, max_length=20)
    min_tier: str | None = Field(default=None, max_length=40)
    quota: int


class CourtesyPlace(SQLModel, table=True):
    """A merchant where a courtesy can be used."""

    __tablename__ = "courtesy_places"

    courtesy_id: UUID = Field(primary_key=True, foreign_key="courtesies.id", ondelete="CASCADE")
    merchant_id: UUID = Field(primary_key=True, foreign_key="merchants.id", index=True)
