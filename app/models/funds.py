"""Funds (公益银行): receipts, and the public figures of every month."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, one_of


class ReceiptKind(StrEnum):
    donation = "donation"
    budget = "budget"


class ReceiptForm(StrEnum):
    """What a donation or a budget consists of."""

    money = "money"
    goods = "goods"


class ReceiptState(StrEnum):
    standing = "standing"
    reversal_proposed = "reversal_proposed"
    reversed = "reversed"


class FundReceipt(Record, table=True):
    """A donation or a budget. Its transfer in the ledger has the same id.

    ``value_cents``: what it is worth, in cents of the yuan, with its ``form``; NULL if only points
    were entered. ``goods``: what was given, of goods alone. One that was entered by mistake is
    reversed by two people, for ``reversal_reason``.
    """

    __tablename__ = "fund_receipts"
    __table_args__ = (
        CheckConstraint(one_of("kind", ReceiptKind), name="kind"),
        CheckConstraint(one_of("state", ReceiptState), name="state"),
        CheckConstraint("points > 0", name="points"),
        CheckConstraint(one_of("form", ReceiptForm), name="form"),
        CheckConstraint(
            "value_cents > 0 AND form IS NOT NULL OR num_nonnulls(value_cents, form) = 0",
            name="value",
        ),
        CheckConstraint("goods IS NULL OR form = 'goods'", name="goods"),
        CheckConstraint(
            "num_nonnulls(reversal_proposed_by, reversal_reason)"
            " = CASE state WHEN 'standing' THEN 0 ELSE 2 END",
            name="reversal",
        ),
        CheckConstraint(
            "(state = 'reversed') = (reversal_confirmed_by IS NOT NULL)"
            " AND reversal_confirmed_by <> reversal_proposed_by",
            name="reversal_confirmed_by",
        ),
        Index("ix_fund_receipts_org", "org_id", "id"),
    )

    unit_id: int
    kind: str = Field(max_length=20)
    points: int = Field(sa_type=BigInteger)
    giver: str = Field(max_length=100)
    note: str = Field(max_length=300)
    form: str | None = Field(default=None, max_length=20)
    value_cents: int | None = Field(default=None, sa_type=BigInteger)
    goods: str | None = Field(default=None, max_length=200)
    state: str = Field(
        default=ReceiptState.standing,
        max_length=20,
        sa_column_kwargs={"server_default": ReceiptState.standing},
    )
    reversal_proposed_by: UUID | None = Field(default=None, foreign_key="people.id")
    reversal_reason: str | None = Field(default=None, max_length=100)
    reversal_confirmed_by: UUID | None = Field(default=None, foreign_key="people.id")


class FundMonth(SQLModel, table=True):
    """Where all points ever issued by an organisation are, at the end of a month.

    The row of the current month is updated; once ``closed_at`` is set it never changes. Sums are
    totals since the beginning: the change of a month is the difference to the row before.
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
