"""Linked places of merchants (剧本杀, 自习室): a check-in there gives points by a rule."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from app.core.poster_codes import MAX_ISSUE
from app.models.base import Record, Timestamp, id_field, one_of


class LinkedPlaceState(StrEnum):
    linked = "linked"
    ended = "ended"


class LinkedPlace(Record, table=True):
    """A shop that an organisation has linked, on the days of an agreement with its merchant.

    ``serial``: the number in poster codes (4 bytes). ``issue``: of the poster that is valid.
    """

    __tablename__ = "linked_places"
    __table_args__ = (
        CheckConstraint(one_of("state", LinkedPlaceState), name="state"),
        CheckConstraint("radius_m > 0", name="radius"),
        CheckConstraint(f"issue BETWEEN 1 AND {MAX_ISSUE}", name="issue"),
        Index(
            "uq_linked_places_shop",
            "shop_id",
            "org_id",
            unique=True,
            postgresql_where=text("state = 'linked'"),
        ),
        Index("ix_linked_places_org", "org_id", "id"),
    )

    shop_id: UUID = Field(foreign_key="shops.id")
    merchant_id: UUID = Field(foreign_key="merchants.id")
    rule_key: str = Field(max_length=40)
    radius_m: int
    serial: int = Field(
        default=None, sa_column=Column(Integer, Identity(always=True), unique=True, nullable=False)
    )
    issue: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    state: str = Field(default=LinkedPlaceState.linked, max_length=20)


class LinkedPlaceVisit(SQLModel, table=True):
    """A check-in of a person, once a day in Asia/Shanghai, and the award for it. Append-only.

    Where the person was is not kept, only how far from the shop. ``doubted``: the person organizes
    the place, so that the award needs another organizer.
    """

    __tablename__ = "linked_place_visits"
    __table_args__ = (
        CheckConstraint("distance_m >= 0 AND accuracy_m BETWEEN 0 AND 100", name="location"),
        UniqueConstraint("linked_place_id", "person_id", "visited_on"),
        Index("ix_linked_place_visits_person", "person_id", "id"),
    )

    id: UUID = id_field()
    linked_place_id: UUID = Field(foreign_key="linked_places.id")
    person_id: UUID = Field(foreign_key="people.id")
    visited_on: date
    visited_at: datetime = Field(sa_type=Timestamp)
    distance_m: int
    accuracy_m: int
    doubted: bool = Field(sa_column_kwargs={"server_default": text("false")})
    # Deferred: its key decides who gets an award before the award is written.
    award_id: UUID = Field(
        sa_column=Column(
            Uuid(),
            ForeignKey("awards.id", deferrable=True, initially="DEFERRED"),
            nullable=False,
            unique=True,
        )
    )
