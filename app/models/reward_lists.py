"""Published lists of rewards (积分兑换清单): numbered versions, which stay readable."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.models.base import Record, Timestamp, one_of


class RewardListState(StrEnum):
    """``announced``: published, and not in force yet."""

    announced = "announced"
    in_force = "in_force"
    superseded = "superseded"
    withdrawn = "withdrawn"


class RewardList(Record, table=True):
    """What an organisation offers from ``effective_from`` on, numbered from 1.

    ``items``: ``schemas.reward_lists.ListedRewardOut`` as JSON; they do not change. ``source``: the
    document that decided it.
    """

    __tablename__ = "reward_lists"
    __table_args__ = (
        CheckConstraint(one_of("state", RewardListState), name="state"),
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("org_id", "number"),
        Index(
            "uq_reward_lists_announced",
            "org_id",
            unique=True,
            postgresql_where=text("state = 'announced'"),
        ),
        Index(
            "uq_reward_lists_in_force",
            "org_id",
            unique=True,
            postgresql_where=text("state = 'in_force'"),
        ),
        Index(
            "ix_reward_lists_due",
            "effective_from",
            postgresql_where=text("state = 'announced'"),
        ),
    )

    number: int
    title: str = Field(max_length=100)
    source: str = Field(max_length=100)
    effective_from: datetime = Field(sa_type=Timestamp)
    items: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(default=RewardListState.announced, max_length=20)
