"""Tiers of the 青享卡 as they are kept: a person's in a programme, until it ends."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp


class TierStanding(SQLModel, table=True):
    """The tier that a person was promoted to; without a row: the lowest.

    What is earned counts at once where it is more. ``below_since``: from when on less was earned
    than the tier asks for.
    """

    __tablename__ = "tier_standings"

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    unit_id: int = Field(primary_key=True, foreign_key="ledger_units.id")
    tier: str = Field(max_length=40)
    since: datetime = Field(sa_type=Timestamp)
    below_since: datetime | None = Field(default=None, sa_type=Timestamp)
