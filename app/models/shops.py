"""Shops: the places of a merchant, with address, position and hours."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.models.base import Record, one_of


class ShopState(StrEnum):
    open = "open"
    closed = "closed"


class Shop(Record, table=True):
    """``latitude`` and ``longitude`` are GCJ-02 degrees; both or neither."""

    __tablename__ = "shops"
    __table_args__ = (
        CheckConstraint(one_of("state", ShopState), name="state"),
        CheckConstraint("num_nonnulls(latitude, longitude) <> 1", name="position"),
        Index("ix_shops_merchant", "merchant_id", "id"),
        Index("ix_shops_org", "org_id", "id"),
    )

    merchant_id: UUID = Field(foreign_key="merchants.id")
    name: str = Field(max_length=60)
    address: str = Field(max_length=200)
    latitude: float | None = None
    longitude: float | None = None
    phone: str | None = Field(default=None, max_length=20)
    hours: str | None = Field(default=None, max_length=100)
    state: str = Field(default=ShopState.open, max_length=20)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
