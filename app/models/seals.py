"""Seals of days: what is closed, hashed and chained (docs/decisions/0017, 0022, 0023)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, text
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field


class ClosedDay(SQLModel, table=True):
    """A Shanghai day that no transfer enters any more: a trigger compares. Sealed next."""

    __tablename__ = "ledger_closed_days"

    day: date = Field(primary_key=True)
    closed_at: datetime = created_at_field()


class Seal(SQLModel, table=True):
    """A Shanghai day under one hash, chained to the day before. Written once.

    Version 1 covers transfers; version 2 also ``facts`` rows under ``facts_root``.
    """

    __tablename__ = "ledger_seals"
    __table_args__ = (
        CheckConstraint(
            "length(root) = 32 AND length(previous) = 32 AND length(seal) = 32", name="hashes"
        ),
        CheckConstraint(
            "CASE version WHEN 1 THEN facts_root IS NULL AND facts = 0"
            " WHEN 2 THEN length(facts_root) = 32 AND facts_root IS NOT NULL ELSE false END",
            name="facts",
        ),
    )

    day: date = Field(primary_key=True, foreign_key="ledger_closed_days.day")
    leaves: int = Field(sa_column=Column(BigInteger, nullable=False))
    root: bytes
    previous: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    seal: bytes
    sealed_at: datetime = created_at_field()
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    facts: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    facts_root: bytes | None = None


class SealNode(SQLModel, table=True):
    """A node of a day's tree above its leaves, and the first leaf under it."""

    __tablename__ = "ledger_seal_nodes"

    day: date = Field(primary_key=True)
    level: int = Field(primary_key=True)
    n: int = Field(sa_column=Column(BigInteger, primary_key=True))
    node: bytes
    side: int
    first_id: UUID


class SealedFact(SQLModel, table=True):
    """The facts of one kind and day: key and hash of each row (``queries/ledger/sealed_facts``).

    ``digest`` is the hash of ``entries``, and under the seal of ``seal_day``: the same day, or the
    first day that was sealed with facts.
    """

    __tablename__ = "ledger_sealed_facts"
    __table_args__ = (CheckConstraint("length(digest) = 32 AND number > 0", name="digest"),)

    day: date = Field(primary_key=True)
    fact: str = Field(primary_key=True, max_length=40)
    seal_day: date
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    digest: bytes
    entries: bytes


class SealPublication(SQLModel, table=True):
    """The last day whose seal went through a channel: notices, webhook."""

    __tablename__ = "seal_publications"

    channel: str = Field(primary_key=True, max_length=20)
    day: date | None = None
