"""The 青享卡 and the codes that it shows at a counter."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Index, Integer
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of

NUMBER_PREFIX = "68"
SERIAL_DIGITS = 10
MAX_SERIAL = 2**31 - 1


def card_number(serial: int) -> str:
    """Make the printed number: prefix, ten digits of the serial, a Luhn check digit."""
    body = f"{NUMBER_PREFIX}{serial:0{SERIAL_DIGITS}}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body[::-1])]
    return f"{body}{-sum(n // 10 + n % 10 for n in doubled) % 10}"


def serial_of(number: str) -> int | None:
    """Return the serial that a printed number was made from; None for a mistyped one."""
    digits = number[len(NUMBER_PREFIX) : -1]
    if not (digits.isascii() and digits.isdecimal() and len(digits) == SERIAL_DIGITS):
        return None
    serial = int(digits)
    return serial if card_number(serial) == number and serial <= MAX_SERIAL else None


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
