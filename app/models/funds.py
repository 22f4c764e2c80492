"""Funds (公益银行): what came in, and the public figures of every month."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, one_of


class ReceiptKind(StrEnum):
    donation = "donation"
    budget = "budget"


class FundReceipt(Record, table=True):
    """Points that somebody gave to a fund. Its transfer in the ledger has the same id."""

    __tablename__ = "fund_receipts"
    __table_args__ = (
        CheckConstraint(one_of("kind", ReceiptKind), name="kind"),
        CheckConstraint("points > 0", name="points"),
        Index("ix_fund_receipts_org", "org_id", "id"),
    )

    unit_id: int
    kind: str = Field(max_length=20)
    points: int = Field(sa_type=BigInteger)
    giver: str = Field(max_length=100)
    note: str = Field(max_length=300)


class FundMonth(SQLModel, table=True):
    """Where all points are that an organisation ever issued, at the end of a month.

    While the month runs the row follows it; ``closed_at`` freezes it. Sums are since the
    beginning: what happened in a month is the difference to the row before.
    """

    __tablename__ = "fund_months"
    __table_args__ = (
        CheckConstraint(
            "issued = available + pending + held + spent + expired + reversed", name="sum"
        ),
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        Index("ix_fund_months_closed", "month", postgresql_where=text("closed_at IS NOT NULL")),
    )

    org_id: UUID = Field(primary_key=True, foreign_key="orgs.id")
    unit_id: int = Field(primary_key=True)
    month: date = Field(primary_key=True)
    issued: int = Field(sa_type=BigInteger)
    available: int = Field(sa_type=BigInteger)
    pending: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
    spent: int = Field(sa_type=BigInteger)
    expired: int = Field(sa_type=BigInteger)
    reversed: int = Field(sa_type=BigInteger)
    received: int = Field(sa_type=BigInteger)
    returned: int = Field(sa_type=BigInteger)
    as_of: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
