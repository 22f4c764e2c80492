"""Visits of people at the checkpoints of quests, and who has completed one."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


class VisitFlag(StrEnum):
    """Why a visit is doubted."""

    travel = "travel"  # too far from the visit before it for the time between


class QuestVisit(SQLModel, table=True):
    """Append-only. Where the person was is not kept, only how far from the checkpoint.

    ``accuracy_m``: what the phone said, at most 100. ``flagged``: why it is doubted.
    """

    __tablename__ = "quest_visits"
    __table_args__ = (
        CheckConstraint(f"flagged IS NULL OR {one_of('flagged', VisitFlag)}", name="flagged"),
        CheckConstraint("distance_m >= 0 AND accuracy_m BETWEEN 0 AND 100", name="location"),
        UniqueConstraint("checkpoint_id", "person_id"),
        Index("ix_quest_visits_person", "person_id", "id"),
        Index("ix_quest_visits_quest", "quest_id", "person_id"),
    )

    id: UUID = id_field()
    quest_id: UUID = Field(foreign_key="quests.id")
    checkpoint_id: UUID = Field(foreign_key="quest_checkpoints.id")
    person_id: UUID = Field(foreign_key="people.id")
    visited_at: datetime = Field(sa_type=Timestamp)
    distance_m: int
    accuracy_m: int
    flagged: str | None = Field(default=None, max_length=20)


class QuestCompletion(SQLModel, table=True):
    """Append-only: a person, once in a quest, and the award for it.

    ``doubted``: a visit of the person there is flagged, or the person has a part in the quest, so
    that the award needs a reviewer at least.
    """

    __tablename__ = "quest_completions"

    quest_id: UUID = Field(primary_key=True, foreign_key="quests.id")
    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    completed_at: datetime = Field(sa_type=Timestamp)
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
