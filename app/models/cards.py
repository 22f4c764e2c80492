"""The 青享卡 and its payment codes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Index, Integer
from sqlmodel import Field, SQLModel

from app.core.normalize import code_as_read
from app.models.base import Timestamp, created_at_field, id_field, one_of

NUMBER_PREFIX = "68"
SERIAL_DIGITS = 10
MAX_SERIAL = 2**31 - 1
SHOWN_DIGITS = 4  # of a masked number


def card_number(serial: int) -> str:
    """Return the printed number: prefix, ten digits of the serial, a Luhn check digit."""
    body = f"{NUMBER_PREFIX}{serial:0{SERIAL_DIGITS}}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body[::-1])]
    return f"{body}{-sum(n // 10 + n % 10 for n in doubled) % 10}"


def masked_number(serial: int) -> str:
    """Return the printed number with nothing but its last digits shown."""
    number = card_number(serial)
    return "*" * (len(number) - SHOWN_DIGITS) + number[-SHOWN_DIGITS:]


def serial_of(number: str) -> int | None:
    """Return the serial of a printed number; None if it is mistyped.

    Spaces, dashes and digits of other scripts are read as people write them.
    """
    number = code_as_read(number).replace("-", "")
    digits = number[len(NUMBER_PREFIX) : -1]
    if not (digits.isascii() and digits.isdecimal() and len(digits) == SERIAL_DIGITS):
        return None
    serial = int(digits)
    return serial if card_number(serial) == number and serial <= MAX_SERIAL else None


class CardStatus(StrEnum):
    active = "active"
    suspended = "suspended"


class Card(SQLModel, table=True):
    """One per person. The printed number is computed from ``serial`` with a check digit."""

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
    """18 random digits that identify a card once, for a minute.

    Random and stored, not computed: a guess must hit one of the few valid codes among 10^18
    numbers. A signature that fits into 18 digits would be weaker.
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
