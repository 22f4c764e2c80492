"""Settlements: what an organisation owes a merchant for a month, and what was disputed of it."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, id_field, one_of


class SettlementState(StrEnum):
    settled = "settled"
    paid = "paid"


class LineKind(StrEnum):
    """A line of a month: a transfer into the merchant's account (first two) or out of it."""

    charge = "charge"
    collect = "collect"
    refund = "refund"
    undo = "undo"


class SettlementDisputeState(StrEnum):
    open = "open"
    upheld = "upheld"
    rejected = "rejected"


class Settlement(Record, table=True):
    """A month of a merchant under one organisation. Only the paid mark is ever added.

    ``month`` is its first day, in Asia/Shanghai. Points: ``opening`` is what the months before
    came to, ``closing`` what this one comes to. Yuan cents: ``value_cents`` for the points of the
    month, ``corrected_cents`` from disputes about earlier months, ``carried_cents`` (at most 0)
    what the month before left to be set off.
    """

    __tablename__ = "settlements"
    __table_args__ = (
        CheckConstraint(one_of("state", SettlementState), name="state"),
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("least(charged, refunded, collected, undone) >= 0", name="points"),
        CheckConstraint(
            "closing = opening + charged - refunded + collected - undone", name="closing"
        ),
        CheckConstraint(
            "carried_cents <= 0 AND due_cents = value_cents + corrected_cents + carried_cents",
            name="due",
        ),
        CheckConstraint(
            "num_nonnulls(paid_at, paid_by, paid_reference) IN (0, 3)"
            " AND (state = 'paid') = (paid_at IS NOT NULL)",
            name="paid",
        ),
        UniqueConstraint("merchant_id", "org_id", "unit_id", "month"),
        Index("ix_settlements_org", "org_id", "id"),
        Index("ix_settlements_merchant", "merchant_id", "id"),
    )

    merchant_id: UUID = Field(foreign_key="merchants.id")
    unit_id: int
    month: date
    charged: int
    refunded: int
    collected: int
    undone: int
    opening: int = Field(sa_type=BigInteger)
    closing: int = Field(sa_type=BigInteger)
    value_cents: int = Field(sa_type=BigInteger)
    corrected_cents: int = Field(sa_type=BigInteger)
    carried_cents: int = Field(sa_type=BigInteger)
    due_cents: int = Field(sa_type=BigInteger)
    state: str = Field(default=SettlementState.settled, max_length=20)
    paid_at: datetime | None = Field(default=None, sa_type=Timestamp)
    paid_by: UUID | None = Field(default=None, foreign_key="people.id")
    paid_reference: str | None = Field(default=None, max_length=100)


class SettlementPart(SQLModel, table=True):
    """What a settlement has under one agreement, with its terms. Append-only.

    A refund belongs to the agreement of what it gives back. ``agreement_id`` is NULL for lines of
    days without an agreement: they are worth nothing.
    """

    __tablename__ = "settlement_parts"
    __table_args__ = (
        CheckConstraint("least(charged, refunded, collected, undone) >= 0", name="points"),
        Index(
            "uq_settlement_parts_agreement",
            "settlement_id",
            "agreement_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: UUID = id_field()
    settlement_id: UUID = Field(foreign_key="settlements.id")
    agreement_id: UUID | None = Field(default=None, foreign_key="agreements.id")
    charged: int
    refunded: int
    collected: int
    undone: int
    cents_per_point: int
    subsidy_percent: int
    cap_cents: int | None = Field(default=None, sa_type=BigInteger)
    value_cents: int = Field(sa_type=BigInteger)


class SettlementDispute(Record, table=True):
    """A line of a settled month that the merchant or an organizer disputes.

    ``transfer_id`` is the line. An upheld one has ``correction_cents`` (positive: to the merchant),
    which the next settlement takes in: ``corrected_in``.
    """

    __tablename__ = "settlement_disputes"
    __table_args__ = (
        CheckConstraint(one_of("state", SettlementDisputeState), name="state"),
        CheckConstraint(
            "num_nonnulls(decided_by, decided_at, answer) = CASE state WHEN 'open' THEN 0 ELSE 3"
            " END AND decided_by <> created_by",
            name="decided",
        ),
        CheckConstraint("(state = 'upheld') = (correction_cents IS NOT NULL)", name="correction"),
        CheckConstraint("corrected_in IS NULL OR state = 'upheld'", name="corrected"),
        UniqueConstraint("transfer_id"),
        Index("ix_settlement_disputes_settlement", "settlement_id", "id"),
        Index(
            "ix_settlement_disputes_to_correct",
            "merchant_id",
            "org_id",
            postgresql_where=text("state = 'upheld' AND corrected_in IS NULL"),
        ),
    )

    settlement_id: UUID = Field(foreign_key="settlements.id")
    merchant_id: UUID = Field(foreign_key="merchants.id")
    transfer_id: UUID
    reason: str = Field(max_length=200)
    state: str = Field(default=SettlementDisputeState.open, max_length=20)
    decided_by: UUID | None = Field(default=None, foreign_key="people.id")
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answer: str | None = Field(default=None, max_length=200)
    correction_cents: int | None = Field(default=None, sa_type=BigInteger)
    corrected_in: UUID | None = Field(default=None, foreign_key="settlements.id")
