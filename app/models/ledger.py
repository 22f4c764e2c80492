"""The ledger: units, accounts, transfers, lots and their uses.

Rows are never deleted, and only the kept balances change: the database role of the service may
insert, and may update ``balance``, ``last_number`` and ``holds_until`` of an account, ``remaining``
of a lot and ``is_open`` of a hold, nothing else (see the migrations).

The hot rows have no foreign keys: these reduce the write rate by a quarter to a half. The posting
statement locks the accounts that it names, and ``ledger verify`` checks the references within the
ledger and to awards.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, one_of


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Purpose(StrEnum):
    """The purpose of an account. The first four are a person's, one of each per unit."""

    available = "available"
    pending = "pending"
    held = "held"
    debt = "debt"  # at most 0: reversed points that the person had spent already
    fund = "fund"  # an organisation's 公益银行, which issues without a limit
    budget = "budget"  # the same, limited to its receipts: at least 0
    income = "income"  # source of donations and budgets: at most 0
    expired = "expired"  # an organisation's points that expired unspent
    takings = "takings"  # a merchant's
    clearing = "clearing"  # an organisation's, of exchanges between programmes: no floor


class Kind(StrEnum):
    """The kind of a transfer."""

    award = "award"  # fund → pending or available
    release = "release"  # pending → available
    hold = "hold"  # available → held
    unhold = "unhold"  # held → available
    collect = "collect"  # held → takings or fund
    charge = "charge"  # available → takings
    refund = "refund"  # takings → available
    reversal = "reversal"  # of an award: pending or available → fund
    clawback = "clawback"  # of the reversed points that were spent already: debt → fund
    repayment = "repayment"  # available → debt
    expiry = "expiry"  # available → expired
    deduction = "deduction"  # available → fund
    restitution = "restitution"  # of a deduction: fund → available
    donation = "donation"  # income → fund or budget
    budget = "budget"  # income → fund or budget
    merge = "merge"  # of two accounts of one person: available → available, debt → debt
    exchange = "exchange"  # available → clearing in one unit, clearing → available in the other


UNIT_OF_HOURS = "minutes"  # of service; no programme awards them as its points


class Unit(SQLModel, table=True):
    """A unit: ``points``, ``minutes`` of volunteering, or the points of another county."""

    __tablename__ = "ledger_units"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    code: str = Field(max_length=40, unique=True)
    name_zh: str = Field(max_length=40)
    name_en: str | None = Field(default=None, max_length=40)


class Account(SQLModel, table=True):
    """A kept balance of one owner for one purpose in one unit.

    ``floor`` is the lowest balance allowed; NULL for none (an unlimited fund). ``last_number`` is
    the number of the latest transfer: 1, 2, 3 … without a gap. ``holds_until`` is the end of the
    first open hold of points of this account, NULL without one.
    """

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint("balance >= floor", name="floor"),
        CheckConstraint("purpose NOT IN ('debt', 'income') OR balance <= 0", name="ceiling"),
        CheckConstraint("last_number >= 0", name="last_number"),
        UniqueConstraint("owner_id", "purpose", "unit_id"),
    )

    id: int = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    unit_id: int
    owner_id: UUID
    purpose: str = Field(max_length=20)
    balance: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    floor: int | None = Field(default=None, sa_column=Column(BigInteger))
    last_number: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    holds_until: datetime | None = Field(default=None, sa_type=Timestamp)


class Transfer(SQLModel, table=True):
    """A positive amount from one account to another, so that entries always balance.

    ``closes_id`` is the transfer that this one releases, collects, refunds or reverses; a transfer
    can be closed once. ``xact`` orders transfers by commit, for the leaderboards.
    """

    __tablename__ = "ledger_transfers"
    __table_args__ = (
        CheckConstraint(one_of("kind", Kind), name="kind"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("from_account_id <> to_account_id", name="accounts"),
        Index("uq_ledger_transfers_from", "from_account_id", "from_number", unique=True),
        Index("uq_ledger_transfers_to", "to_account_id", "to_number", unique=True),
        Index("uq_ledger_transfers_reference", "reference", unique=True),
        Index(
            "uq_ledger_transfers_closes",
            "closes_id",
            unique=True,
            postgresql_where=text("closes_id IS NOT NULL"),
        ),
        Index("ix_ledger_transfers_commit_order", "xact", "id"),
        # Rows are in order of time, so a small BRIN index (an entry per 32 pages) finds a day.
        Index(
            "ix_ledger_transfers_time",
            "created_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32},
        ),
    )

    id: UUID = Field(primary_key=True)
    unit_id: int
    from_account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    to_account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    from_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    to_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    from_balance: int = Field(sa_column=Column(BigInteger, nullable=False))
    to_balance: int = Field(sa_column=Column(BigInteger, nullable=False))
    kind: str = Field(max_length=20)
    reason: str = Field(max_length=200)
    # The business fact behind it, unique for ever: ``checkin:{activity}:{session}:{person}``.
    reference: str = Field(max_length=160)
    source_type: str = Field(max_length=20)
    source_id: UUID
    org_id: UUID
    closes_id: UUID | None = None
    created_at: datetime = created_at_field()
    xact: str = Field(
        sa_column=Column(Xid8(), nullable=False, server_default=text("pg_current_xact_id()"))
    )


class AccountTotal(SQLModel, table=True):
    """What the entries of a person's account up to ``number`` sum to, by kind. Append-only.

    Written with about every 256th entry, so that a total of any length reads few entries.
    """

    __tablename__ = "ledger_totals"

    account_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    earned: int = Field(sa_column=Column(BigInteger, nullable=False))
    spent: int = Field(sa_column=Column(BigInteger, nullable=False))
    expired: int = Field(sa_column=Column(BigInteger, nullable=False))
    deducted: int = Field(sa_column=Column(BigInteger, nullable=False))


class Lot(SQLModel, table=True):
    """Points that came in together and expire together; ``remaining`` is kept.

    ``org_id`` is the organisation whose 公益银行 issued them, also in a lot that a refund makes of
    expired points. ``origin_id`` is then the transfer that first brought these points.
    """

    __tablename__ = "ledger_lots"
    __table_args__ = (
        CheckConstraint("amount > 0 AND remaining BETWEEN 0 AND amount", name="remaining"),
        Index(
            "ix_ledger_lots_spendable",
            "account_id",
            "expires_at",
            "id",
            postgresql_where=text("remaining > 0"),
        ),
        Index("ix_ledger_lots_transfer", "transfer_id"),
        Index("ix_ledger_lots_origin", "origin_id", postgresql_where=text("origin_id IS NOT NULL")),
        Index(
            "ix_ledger_lots_expiring",
            "expires_at",
            "id",
            postgresql_where=text("remaining > 0"),
        ),
    )

    id: UUID = Field(primary_key=True)
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    transfer_id: UUID
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    remaining: int = Field(sa_column=Column(BigInteger, nullable=False))
    expires_at: datetime = Field(sa_type=Timestamp)
    org_id: UUID
    origin_id: UUID | None = None


class Hold(SQLModel, table=True):
    """The terms of a transfer of kind ``hold``: its end, and what happens if it is not settled.

    ``account_id`` is the account that the points came from. ``reason`` is that of the transfer that
    gives the points back. ``revived_for``: the lifetime of points whose lot has ended by then.
    """

    __tablename__ = "ledger_holds"
    __table_args__ = (
        Index(
            "ix_ledger_holds_open",
            "account_id",
            "held_until",
            postgresql_where=text("is_open"),
        ),
    )

    transfer_id: UUID = Field(primary_key=True)
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    held_until: datetime = Field(sa_type=Timestamp)
    reason: str = Field(max_length=200)
    revived_for: timedelta
    is_open: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})


class ExpiryNotice(SQLModel, table=True):
    """A record that a person was notified ``days`` ahead of points that expire at a time."""

    __tablename__ = "expiry_notices"

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    unit_id: int = Field(primary_key=True)
    expires_at: datetime = Field(primary_key=True, sa_type=Timestamp)
    days: int = Field(primary_key=True)
    created_at: datetime = created_at_field()


class LotUse(SQLModel, table=True):
    """The points that a transfer took from a lot (positive) or gave back to it (negative)."""

    __tablename__ = "ledger_lot_uses"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount"),)

    transfer_id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(primary_key=True, index=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
