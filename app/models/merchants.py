"""Merchants: shops that take points, and the counters of a 公益银行."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field, one_of


class MerchantKind(StrEnum):
    """Where points go when goods are handed over: the shop's takings, or back to the fund."""

    shop = "shop"
    fund_counter = "fund_counter"


class Merchant(SQLModel, table=True):
    __tablename__ = "merchants"
    __table_args__ = (CheckConstraint(one_of("kind", MerchantKind), name="kind"),)

    id: UUID = id_field()
    org_id: UUID = Field(foreign_key="orgs.id", index=True)
    name: str = Field(max_length=60)
    kind: str = Field(max_length=20)
    created_at: datetime = created_at_field()
