"""Rewards: the 积分兑换清单, what points buy and how much of it is there."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field, one_of


class RewardKind(StrEnum):
    goods = "goods"
    voucher = "voucher"
    place = "place"
    donation = "donation"


class RewardPeriod(StrEnum):
    """How long a stock or a limit lasts. ``session`` is one 集中兑换 (redemption day)."""

    session = "session"
    month = "month"
    quarter = "quarter"
    year = "year"


class Reward(SQLModel, table=True):
    """``stock`` and ``limit_per_member`` are per period; NULL means no bound."""

    __tablename__ = "rewards"
    __table_args__ = (
        CheckConstraint(one_of("kind", RewardKind), name="kind"),
        CheckConstraint(one_of("stock_period", RewardPeriod), name="stock_period"),
        CheckConstraint(one_of("limit_period", RewardPeriod), name="limit_period"),
        CheckConstraint("points > 0 AND stock >= 0 AND limit_per_member > 0", name="numbers"),
        UniqueConstraint("merchant_id", "key"),
    )

    id: UUID = id_field()
    org_id: UUID = Field(foreign_key="orgs.id", index=True)
    merchant_id: UUID = Field(foreign_key="merchants.id")
    key: str = Field(max_length=40)
    name: str = Field(max_length=60)
    kind: str = Field(max_length=20)
    points: int
    stock: int | None = None
    stock_period: str | None = Field(default=None, max_length=20)
    limit_per_member: int | None = None
    limit_period: str | None = Field(default=None, max_length=20)
    min_tier: str = Field(max_length=20)


class RewardStock(SQLModel, table=True):
    """What is left in one period; the row appears with the first redemption of the period."""

    __tablename__ = "reward_stocks"
    __table_args__ = (CheckConstraint("remaining >= 0", name="remaining"),)

    reward_id: UUID = Field(primary_key=True, foreign_key="rewards.id")
    period_start: datetime = Field(primary_key=True, sa_type=Timestamp)
    remaining: int
