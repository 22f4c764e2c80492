"""The queue of a reward that is out of stock: who is told, in which order, when some come in."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class RewardWaitState(StrEnum):
    """``told``: there are some again. ``lapsed``: told, and did not reserve in time."""

    waiting = "waiting"
    told = "told"
    reserved = "reserved"
    lapsed = "lapsed"
    left = "left"


class RewardWait(SQLModel, table=True):
    """A person waits for a reward. The order is that of the ids."""

    __tablename__ = "reward_waits"
    __table_args__ = (
        CheckConstraint(one_of("state", RewardWaitState), name="state"),
        CheckConstraint("state NOT IN ('told', 'lapsed') OR told_at IS NOT NULL", name="told"),
        Index(
            "uq_reward_waits_person",
            "person_id",
            "reward_id",
            unique=True,
            postgresql_where=text("state IN ('waiting', 'told')"),
        ),
        Index(
            "ix_reward_waits_reward",
            "reward_id",
            "id",
            postgresql_where=text("state IN ('waiting', 'told')"),
        ),
        Index("ix_reward_waits_own", "person_id", "id"),
    )

    id: UUID = id_field()
    reward_id: UUID = Field(foreign_key="rewards.id")
    person_id: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
    state: str = Field(default=RewardWaitState.waiting, max_length=20)
    told_at: datetime | None = Field(default=None, sa_type=Timestamp)
