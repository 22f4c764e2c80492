"""The ledger: units, accounts, transfers, lots and their uses.

Nothing here is ever deleted, and only the kept balances change: the role that the
service connects with may insert, and may update ``balance`` and ``last_number`` of an
account and ``remaining`` of a lot, nothing else (see the first migration).

There are no foreign keys on the hot rows: they cost a quarter to a half of the rate.
The posting statement locks the accounts that it names, and ``ledger verify`` checks
the references within the ledger and to awards.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, one_of


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Purpose(StrEnum):
    """What an account is for. The first four are a person's, in each unit."""

    available = "available"
    pending = "pending"
    held = "held"
    debt = "debt"  # never above zero: what a reversal took and the person had spent
    fund = "fund"  # an organisation's 公益银行, issuing without a limit
    budget = "budget"  # the same, issuing what came in: never below zero
    income = "income"  # where donations and budgets come from: never above zero
    expired = "expired"  # an organisation's points that nobody spent in time
    takings = "takings"  # a merchant's


class Kind(StrEnum):
    """Why points moved."""

    award = "award"  # fund → pending or available
    release = "release"  # pending → available
    hold = "hold"  # available → held
    unhold = "unhold"  # held → available
    collect = "collect"  # held → takings or fund
    charge = "charge"  # available → takings
    refund = "refund"  # takings → available
    reversal = "reversal"  # of an award: pending or available → fund
    clawback = "clawback"  # of what a reversal did not find: debt → fund
    repayment = "repayment"  # available → debt
    expiry = "expiry"  # available → expired
    deduction = "deduction"  # available → fund
    restitution = "restitution"  # of a deduction: fund → available
    donation = "donation"  # income → fund or budget
    budget = "budget"  # income → fund or budget


UNIT_OF_HOURS = "minutes"  # of service; no programme gives them for anything else


class Unit(SQLModel, table=True):
    """What is counted: ``points``, ``minutes`` of volunteering, another county's points."""

    __tablename__ = "ledger_units"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    code: str = Field(max_length=40, unique=True)
    name_zh: str = Field(max_length=40)


class Account(SQLModel, table=True):
    """A kept balance of one owner for one purpose in one unit.

    ``floor`` is the lowest balance allowed; NULL means none (an unlimited fund).
    ``last_number`` is the number of the latest transfer: 1, 2, 3 … without a gap.
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


class Transfer(SQLModel, table=True):
    """A positive amount from one account to another: unbalanced cannot be written.

    ``closes_id`` is the transfer that this one releases, collects, refunds or reverses;
    a transfer can be closed once. ``xact`` orders transfers by commit: see leaderboards.
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
        # Rows come in the order of their time: some bytes for each 32 pages find a day.
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


class Lot(SQLModel, table=True):
    """Points that came in together and expire together; ``remaining`` is kept.

    ``org_id`` is whose 公益银行 issued them: it stays so in a lot that a refund makes of
    what had expired. ``origin_id`` is then the transfer that had brought them first.
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


class Seal(SQLModel, table=True):
    """A Shanghai day under one hash, chained to the day before. Written once."""

    __tablename__ = "ledger_seals"
    __table_args__ = (
        CheckConstraint(
            "length(root) = 32 AND length(previous) = 32 AND length(seal) = 32", name="hashes"
        ),
    )

    day: date = Field(primary_key=True)
    leaves: int = Field(sa_column=Column(BigInteger, nullable=False))
    root: bytes
    previous: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    seal: bytes
    sealed_at: datetime = created_at_field()


class SealNode(SQLModel, table=True):
    """A node of a day's tree above its leaves, and the first leaf under it."""

    __tablename__ = "ledger_seal_nodes"

    day: date = Field(primary_key=True)
    level: int = Field(primary_key=True)
    n: int = Field(sa_column=Column(BigInteger, primary_key=True))
    node: bytes
    side: int
    first_id: UUID


class ExpiryNotice(SQLModel, table=True):
    """That a person was told, so many days ahead, what expires at a moment."""

    __tablename__ = "expiry_notices"

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    unit_id: int = Field(primary_key=True)
    expires_at: datetime = Field(primary_key=True, sa_type=Timestamp)
    days: int = Field(primary_key=True)
    created_at: datetime = created_at_field()


class LotUse(SQLModel, table=True):
    """What a transfer took from a lot (positive) or gave back to it (negative)."""

    __tablename__ = "ledger_lot_uses"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount"),)

    transfer_id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(primary_key=True, index=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
