"""Periods in which prices of a list are frozen, as its organisation's fund covers too little."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, id_field


class PriceFreeze(SQLModel, table=True):
    """From when to when prices were frozen; one without ``ended_at`` at a time.

    ``liability_cents``, ``fund_cents``: what the points outstanding and the fund were worth when it
    began, in cents of the yuan. ``freeze_percent``: the percentage that was passed.
    """

    __tablename__ = "price_freezes"
    __table_args__ = (
        CheckConstraint("ended_at >= began_at", name="ended_at"),
        CheckConstraint("liability_cents > 0", name="liability"),
        Index(
            "uq_price_freezes_open",
            "org_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_price_freezes_org", "org_id", "id"),
    )

    id: UUID = id_field()
    org_id: UUID = Field(foreign_key="orgs.id")
    unit_id: int
    liability_cents: int = Field(sa_type=BigInteger)
    fund_cents: int = Field(sa_type=BigInteger)
    freeze_percent: int
    began_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
