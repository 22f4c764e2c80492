"""Quests (线下互动打卡任务): checkpoints across days and places, an award for enough visits."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.poster_codes import MAX_ISSUE
from app.models.base import Record, Timestamp, created_at_field, id_field, one_of

MAX_CHECKPOINTS = 50


class QuestState(StrEnum):
    draft = "draft"
    published = "published"
    closed = "closed"


class Quest(Record, table=True):
    """``needed``: how many of its checkpoints complete it. Only a draft is edited."""

    __tablename__ = "quests"
    __table_args__ = (
        CheckConstraint(one_of("state", QuestState), name="state"),
        CheckConstraint("starts_at < ends_at", name="times"),
        CheckConstraint(
            "ends_at - created_at <= '731 days' AND created_at - starts_at <= '731 days'",
            name="distance",
        ),
        CheckConstraint(f"needed BETWEEN 1 AND {MAX_CHECKPOINTS}", name="needed"),
        Index("ix_quests_org", "org_id", "id"),
        Index("ix_quests_state", "state", "id"),
    )

    title: str = Field(max_length=80)
    description: str = Field(max_length=5000)
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    rule_key: str = Field(max_length=40)
    needed: int
    state: str = Field(default=QuestState.draft, max_length=20)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})


class QuestCheckpoint(SQLModel, table=True):
    """A place of a quest. Those of a draft are replaced with each edit.

    ``number``: from 1, in the order of the quest. ``serial``: the number in poster codes (4 bytes).
    ``issue``: of the poster that is valid; earlier ones are refused.
    """

    __tablename__ = "quest_checkpoints"
    __table_args__ = (
        CheckConstraint(f"number BETWEEN 1 AND {MAX_CHECKPOINTS}", name="number"),
        CheckConstraint("opens_at < closes_at", name="times"),
        CheckConstraint("radius_m > 0", name="radius"),
        CheckConstraint(f"issue BETWEEN 1 AND {MAX_ISSUE}", name="issue"),
        UniqueConstraint("quest_id", "number"),
    )

    id: UUID = id_field()
    quest_id: UUID = Field(foreign_key="quests.id", ondelete="CASCADE")
    number: int
    serial: int = Field(
        default=None, sa_column=Column(Integer, Identity(always=True), unique=True, nullable=False)
    )
    title: str = Field(max_length=80)
    location_name: str = Field(max_length=100)
    latitude: float  # GCJ-02
    longitude: float
    radius_m: int
    opens_at: datetime = Field(sa_type=Timestamp)
    closes_at: datetime = Field(sa_type=Timestamp)
    issue: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})


class QuestOrganizer(SQLModel, table=True):
    """Who drafted, edited or published a quest, or fetched one of its posters.

    Points of theirs for this quest wait for another organizer (decision 0009).
    """

    __tablename__ = "quest_organizers"

    quest_id: UUID = Field(primary_key=True, foreign_key="quests.id")
    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    created_at: datetime = created_at_field()
