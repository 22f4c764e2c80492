"""Merchants: those that accept points, and counters of a 公益银行; visits."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, created_at_field, id_field, one_of


class MerchantKind(StrEnum):
    """Receiver of the points of a redemption: the shop's income, or the fund."""

    shop = "shop"
    fund_counter = "fund_counter"


class MerchantState(StrEnum):
    """A suspended merchant neither charges nor collects; it still refunds."""

    applied = "applied"
    active = "active"
    suspended = "suspended"
    declined = "declined"


class Merchant(SQLModel, table=True):
    """``applied_by`` filed the application; NULL for those from before there were any."""

    __tablename__ = "merchants"
    __table_args__ = (
        CheckConstraint(one_of("kind", MerchantKind), name="kind"),
        CheckConstraint(one_of("state", MerchantState), name="state"),
    )

    id: UUID = id_field()
    org_id: UUID = Field(foreign_key="orgs.id", index=True)
    name: str = Field(max_length=60)
    kind: str = Field(max_length=20)
    created_at: datetime = created_at_field()
    state: str = Field(
        default=MerchantState.applied, max_length=20, sa_column_kwargs={"server_default": "applied"}
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    applied_by: UUID | None = Field(default=None, foreign_key="people.id")
    description: str | None = Field(default=None, max_length=1000)
    phone: str | None = Field(default=None, max_length=20)
    hours: str | None = Field(default=None, max_length=100)


class MerchantVisit(Record, table=True):
    """A visit (走访) to an applicant, before it is approved, or to a merchant. Append-only."""

    __tablename__ = "merchant_visits"
    __table_args__ = (Index("ix_merchant_visits_merchant", "merchant_id", "id"),)

    merchant_id: UUID = Field(foreign_key="merchants.id")
    visited_on: date
    note: str = Field(max_length=1000)
