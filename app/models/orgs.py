"""Organisations: the youth league's tree, from a city down to a community."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


class Level(StrEnum):
    city = "city"
    district = "district"
    street = "street"
    community = "community"


class Org(SQLModel, table=True):
    """A node of the tree, identified by China's published division code.

    ``path`` is ``/31/310101/310101002/``: the codes from the root to the node. A subtree is a
    range of paths, so a role at a node applies to all nodes below by prefix.
    """

    __tablename__ = "orgs"
    __table_args__ = (
        CheckConstraint(one_of("level", Level), name="level"),
        CheckConstraint("path ^@ '/' AND path LIKE '%/' || code || '/'", name="path"),
    )

    id: UUID = id_field()
    code: str = Field(max_length=20, unique=True)
    name: str = Field(max_length=100)
    level: str = Field(max_length=20, index=True)
    parent_id: UUID | None = Field(default=None, foreign_key="orgs.id", index=True)
    # "C" collation: a prefix search is a range of the index.
    path: str = Field(sa_column=Column(Text(collation="C"), nullable=False, unique=True))
    # A closed organisation takes no new activities, roles or organisations below it.
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    # How residents reach it; the organisations below without one are reached here too.
    contact_phone: str | None = Field(default=None, max_length=20)
    contact_note: str | None = Field(default=None, max_length=100)
