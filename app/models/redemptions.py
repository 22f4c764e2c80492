"""Redemptions: points spent, on a reward with a pick-up code or at a counter with a card."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class RedemptionStatus(StrEnum):
    reserved = "reserved"
    collected = "collected"
    cancelled = "cancelled"
    expired = "expired"


class ChargeStatus(StrEnum):
    charged = "charged"
    refunded = "refunded"


class Redemption(SQLModel, table=True):
    """A reward reserved with held points. The transfer that holds them has the same id."""

    __tablename__ = "redemptions"
    __table_args__ = (
        CheckConstraint(one_of("status", RedemptionStatus), name="status"),
        CheckConstraint("quantity > 0 AND points > 0", name="numbers"),
        Index("ix_redemptions_person", "person_id", "id"),
        Index("ix_redemptions_person_reward", "person_id", "reward_id", "created_at"),
        Index("ix_redemptions_merchant_time", "merchant_id", "settled_at"),
        Index("ix_redemptions_status_expiry", "status", "expires_at"),
    )

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    reward_id: UUID = Field(foreign_key="rewards.id")
    merchant_id: UUID = Field(foreign_key="merchants.id")
    quantity: int
    points: int
    unit_id: int
    status: str = Field(max_length=20)
    pickup_code: str = Field(max_length=12, unique=True)
    # Which stock the goods came from and go back to.
    stock_period_start: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    created_at: datetime = created_at_field()
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)
    settled_by: UUID | None = Field(default=None, foreign_key="people.id")


class Charge(SQLModel, table=True):
    """Points taken at a counter. The transfer that took them has the same id."""

    __tablename__ = "charges"
    __table_args__ = (
        CheckConstraint(one_of("status", ChargeStatus), name="status"),
        CheckConstraint("points > 0", name="points"),
        Index("ix_charges_merchant_time", "merchant_id", "created_at"),
        Index("ix_charges_person", "person_id"),
        Index(
            "ix_charges_refunded",
            "merchant_id",
            "refunded_at",
            postgresql_where=text("refunded_at IS NOT NULL"),
        ),
    )

    id: UUID = id_field()
    merchant_id: UUID = Field(foreign_key="merchants.id")
    person_id: UUID = Field(foreign_key="people.id")
    staff_id: UUID = Field(foreign_key="people.id")
    points: int
    unit_id: int
    note: str = Field(max_length=100)
    status: str = Field(default=ChargeStatus.charged, max_length=20)
    created_at: datetime = created_at_field()
    refunded_at: datetime | None = Field(default=None, sa_type=Timestamp)
    refund_reason: str | None = Field(default=None, max_length=100)
