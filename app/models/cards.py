"""The 青享卡 and its payment codes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from app.core.normalize import code_as_read
from app.models.base import Timestamp, created_at_field, id_field, one_of

NUMBER_PREFIX = "68"
SERIAL_DIGITS = 10
MAX_SERIAL = 2**31 - 1
SHOWN_DIGITS = 4  # of a masked number
NEW_SERIAL = "new_card_serial()"  # a function of the schema


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
    """``suspended`` by an administrator; ``frozen`` and ``lost``: its holder said so."""

    active = "active"
    suspended = "suspended"
    frozen = "frozen"
    lost = "lost"


class EndReason(StrEnum):
    """Why a number ended."""

    lost = "lost"
    replaced = "replaced"


class CodePurpose(StrEnum):
    """What a code is for. A code without a purpose is for any."""

    charge = "charge"
    attendance = "attendance"
    handover = "handover"
    merge = "merge"
    courtesy = "courtesy"


class Card(SQLModel, table=True):
    """One per person. The printed number is computed from ``serial`` with a check digit.

    The serial is random: a function of the schema draws it from PostgreSQL's cryptographic source
    until it is one that no card has or had. A lost card has its next number at once; it is shown
    when the card is replaced.
    """

    __tablename__ = "cards"
    __table_args__ = (
        CheckConstraint(one_of("status", CardStatus), name="status"),
        CheckConstraint("status <> 'frozen' OR frozen_at IS NOT NULL", name="frozen"),
        CheckConstraint("status <> 'lost' OR lost_at IS NOT NULL", name="lost"),
    )

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    serial: int = Field(
        default=None,
        sa_column=Column(Integer, server_default=text(NEW_SERIAL), unique=True, nullable=False),
    )
    status: str = Field(
        default=CardStatus.active,
        max_length=20,
        sa_column_kwargs={"server_default": CardStatus.active.value},
    )
    # What the card goes back to when a suspension ends.
    frozen_at: datetime | None = Field(default=None, sa_type=Timestamp)
    lost_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = created_at_field()


class EndedCard(SQLModel, table=True):
    """A number that a card had. It is nobody's, and is never given again."""

    __tablename__ = "ended_cards"
    __table_args__ = (
        CheckConstraint(one_of("reason", EndReason), name="reason"),
        Index("ix_ended_cards_person", "person_id", "id"),
    )

    id: UUID = id_field()
    serial: int = Field(unique=True)
    person_id: UUID = Field(foreign_key="people.id")
    reason: str = Field(max_length=20)
    ended_at: datetime = Field(sa_type=Timestamp)


class CardCode(SQLModel, table=True):
    """18 random digits that identify a card once, for a minute.

    Random and stored, not computed: a guess must hit one of the few valid codes among 10^18
    numbers. A signature that fits into 18 digits would be weaker. ``used_by``: the merchant where
    it was used, else the person who used it: only there a second use is called one.
    """

    __tablename__ = "card_codes"
    __table_args__ = (
        CheckConstraint("code ~ '^[0-9]{18}$'", name="digits"),
        CheckConstraint(one_of("purpose", CodePurpose), name="purpose"),
        CheckConstraint("used_at IS NOT NULL OR used_by IS NULL", name="used_by"),
        Index("ix_card_codes_person", "person_id", "expires_at"),
    )

    id: UUID = id_field()
    code: str = Field(max_length=18, unique=True)
    person_id: UUID = Field(foreign_key="people.id")
    purpose: str | None = Field(default=None, max_length=20)
    valid_from: datetime | None = Field(default=None, sa_type=Timestamp)  # None: at once
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    used_by: UUID | None = None
