"""Rewards (积分兑换清单) and their stock."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, id_field, one_of


class RewardKind(StrEnum):
    goods = "goods"
    voucher = "voucher"
    place = "place"
    donation = "donation"


class RewardPeriod(StrEnum):
    """The period of a stock or a limit. ``session`` is one 集中兑换 (redemption day)."""

    session = "session"
    month = "month"
    quarter = "quarter"
    year = "year"


class RewardState(StrEnum):
    draft = "draft"
    published = "published"
    withdrawn = "withdrawn"


class Reward(SQLModel, table=True):
    """``stock`` and ``limit_per_member`` are per period; NULL: unlimited.

    ``stock`` is what a period begins with. ``version`` counts the edits (``If-Match``). It is
    offered from ``offered_from`` until ``offered_until``; NULL: without such a bound. ``list_id``:
    the published list that states its price. ``coded_at``: since when each piece is a voucher code.
    """

    __tablename__ = "rewards"
    __table_args__ = (
        CheckConstraint(one_of("kind", RewardKind), name="kind"),
        CheckConstraint(one_of("stock_period", RewardPeriod), name="stock_period"),
        CheckConstraint(one_of("limit_period", RewardPeriod), name="limit_period"),
        CheckConstraint("points > 0 AND stock >= 0 AND limit_per_member > 0", name="numbers"),
        CheckConstraint(one_of("state", RewardState), name="state"),
        CheckConstraint("offered_from < offered_until", name="offered"),
        UniqueConstraint("merchant_id", "key"),
    )

    id: UUID = id_field()
    org_id: UUID = Field(foreign_key="orgs.id", index=True)
    merchant_id: UUID = Field(foreign_key="merchants.id")
    key: str = Field(max_length=40)
    name: str = Field(max_length=60)
    name_en: str | None = Field(default=None, max_length=60)
    kind: str = Field(max_length=20)
    points: int
    stock: int | None = None
    stock_period: str | None = Field(default=None, max_length=20)
    limit_per_member: int | None = None
    limit_period: str | None = Field(default=None, max_length=20)
    min_tier: str = Field(max_length=20)
    state: str = Field(
        default=RewardState.draft, max_length=20, sa_column_kwargs={"server_default": "draft"}
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    offered_from: datetime | None = Field(default=None, sa_type=Timestamp)
    offered_until: datetime | None = Field(default=None, sa_type=Timestamp)
    terms: str | None = Field(default=None, max_length=1000)
    pickup_place: str | None = Field(default=None, max_length=100)
    pickup_hours: str | None = Field(default=None, max_length=100)
    list_id: UUID | None = Field(default=None, foreign_key="reward_lists.id", index=True)
    coded_at: datetime | None = Field(default=None, sa_type=Timestamp)


class RewardStock(SQLModel, table=True):
    """Remaining stock of a period; inserted by its first redemption or movement.

    ``remaining`` = ``opened_with`` + movements - what is reserved and collected.
    """

    __tablename__ = "reward_stocks"
    __table_args__ = (CheckConstraint("remaining >= 0", name="remaining"),)

    reward_id: UUID = Field(primary_key=True, foreign_key="rewards.id")
    period_start: datetime = Field(primary_key=True, sa_type=Timestamp)
    opened_with: int
    remaining: int


class StockMovement(Record, table=True):
    """Goods that came into a period's stock (positive) or left it (negative). Append-only."""

    __tablename__ = "stock_movements"
    __table_args__ = (
        CheckConstraint("quantity <> 0", name="quantity"),
        Index("ix_stock_movements_reward", "reward_id", "id"),
    )

    reward_id: UUID = Field(foreign_key="rewards.id")
    period_start: datetime = Field(sa_type=Timestamp)
    quantity: int
    reason: str = Field(max_length=200)
