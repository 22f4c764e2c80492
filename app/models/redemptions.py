"""Redemptions: points spent on a reward with a pick-up code, or charged with a card code."""

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
    """``waiting``: for its payer, until ``expires_at``. The last two moved nothing."""

    waiting = "waiting"
    charged = "charged"
    refunded = "refunded"
    refused = "refused"
    expired = "expired"


class Redemption(SQLModel, table=True):
    """A reward reserved with held points. The transfer that holds them has the same id.

    A collection that was undone stays ``collected``, with ``undone_at``: another reservation, whose
    ``replaces_id`` names it, holds the same goods at the same price.
    """

    __tablename__ = "redemptions"
    __table_args__ = (
        CheckConstraint(one_of("status", RedemptionStatus), name="status"),
        CheckConstraint("quantity > 0 AND points > 0", name="numbers"),
        CheckConstraint(
            "num_nonnulls(undone_at, undone_by, undo_reason) IN (0, 3)"
            " AND (undone_at IS NULL OR status = 'collected')",
            name="undone",
        ),
        Index(
            "ix_redemptions_undone",
            "merchant_id",
            "undone_at",
            postgresql_where=text("undone_at IS NOT NULL"),
        ),
        Index("ix_redemptions_person", "person_id", "id"),
        Index("ix_redemptions_person_reward", "person_id", "reward_id", "created_at"),
        Index("ix_redemptions_merchant_time", "merchant_id", "settled_at"),
        Index("ix_redemptions_status_expiry", "status", "expires_at"),
        Index(
            "ix_redemptions_day",
            "day_id",
            "person_id",
            postgresql_where=text("day_id IS NOT NULL"),
        ),
        CheckConstraint("day_id IS NOT NULL OR (slot_id IS NULL AND NOT is_walk_in)", name="day"),
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
    # The stock period that the goods were taken from and are returned to.
    stock_period_start: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    created_at: datetime = created_at_field()
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)
    settled_by: UUID | None = Field(default=None, foreign_key="people.id")
    undone_at: datetime | None = Field(default=None, sa_type=Timestamp)
    undone_by: UUID | None = Field(default=None, foreign_key="people.id")
    undo_reason: str | None = Field(default=None, max_length=100)
    replaces_id: UUID | None = Field(default=None, foreign_key="redemptions.id", unique=True)
    # Of a redemption day (``models/redemption_days``): its goods are that day's.
    day_id: UUID | None = Field(default=None, foreign_key="redemption_days.id")
    slot_id: UUID | None = Field(default=None, foreign_key="redemption_day_slots.id")
    is_walk_in: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class Charge(SQLModel, table=True):
    """Points charged at a counter. The transfer has the same id.

    One that its payer must confirm has ``expires_at``. Its transfer is a hold, which ``settled_at``
    ended: confirmed, refused or expired.
    """

    __tablename__ = "charges"
    __table_args__ = (
        CheckConstraint(one_of("status", ChargeStatus), name="status"),
        CheckConstraint("points > 0", name="points"),
        CheckConstraint(
            "CASE WHEN expires_at IS NULL THEN status IN ('charged', 'refunded')"
            " AND settled_at IS NULL ELSE (status = 'waiting') = (settled_at IS NULL) END",
            name="settled",
        ),
        Index(
            "ix_charges_waiting",
            "person_id",
            "expires_at",
            postgresql_where=text("status = 'waiting'"),
        ),
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
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)
    refunded_at: datetime | None = Field(default=None, sa_type=Timestamp)
    refund_reason: str | None = Field(default=None, max_length=100)


class ChargeRefund(SQLModel, table=True):
    """A part of a charge that was refunded. The transfer has the same id. Append-only.

    The refund of all that is left of a charge is in the charge itself.
    """

    __tablename__ = "charge_refunds"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        Index("ix_charge_refunds_merchant_time", "merchant_id", "created_at"),
    )

    id: UUID = id_field()
    charge_id: UUID = Field(foreign_key="charges.id", index=True)
    merchant_id: UUID = Field(foreign_key="merchants.id")
    person_id: UUID = Field(foreign_key="people.id")
    created_by: UUID = Field(foreign_key="people.id")
    points: int
    reason: str = Field(max_length=100)
    created_at: datetime = created_at_field()
