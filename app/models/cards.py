"""The 青享卡 and the codes that it shows at a counter."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Index, Integer
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class CardStatus(StrEnum):
    active = "active"
    suspended = "suspended"


class Card(SQLModel, table=True):
    """One a person. The printed number is made from ``serial`` with a check digit."""

    __tablename__ = "cards"
    __table_args__ = (CheckConstraint(one_of("status", CardStatus), name="status"),)

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    serial: int = Field(
        default=None, sa_column=Column(Integer, Identity(always=True), unique=True, nullable=False)
    )
    status: str = Field(
        default=CardStatus.active,
        max_length=20,
        sa_column_kwargs={"server_default": CardStatus.active.value},
    )
    created_at: datetime = created_at_field()


class CardCode(SQLModel, table=True):
    """18 random digits that stand for a card for a minute, once.

    Random and stored, not computed: of 10^18 numbers a handful is valid at a time, more
    than any signature that fits into 18 digits could promise.
    """

    __tablename__ = "card_codes"
    __table_args__ = (
        CheckConstraint("code ~ '^[0-9]{18}$'", name="digits"),
        Index("ix_card_codes_person", "person_id", "expires_at"),
    )

    id: UUID = id_field()
    code: str = Field(max_length=18, unique=True)
    person_id: UUID = Field(foreign_key="people.id")
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
