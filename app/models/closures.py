"""Closures of accounts: asked for, carried out after days to change one's mind, then kept."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, one_of


class ClosureCause(StrEnum):
    """Why an account is closed. WeChat's events leave no days to change one's mind."""

    asked = "asked"
    consent_withdrawn = "consent_withdrawn"
    wechat_revoked = "wechat_revoked"
    wechat_cancelled = "wechat_cancelled"
    guardian = "guardian"  # of a child: removed by the guardian


class Closure(SQLModel, table=True):
    """The closure of a person's account; deleted if the person keeps the account.

    ``due_at``: when the job erases. ``swept_at``: when it has erased a second time, what requests
    wrote that were under way at ``erased_at``.
    """

    __tablename__ = "closures"
    __table_args__ = (
        CheckConstraint(one_of("cause", ClosureCause), name="cause"),
        CheckConstraint("(swept_at IS NOT NULL) <= (erased_at IS NOT NULL)", name="swept_at"),
        Index("ix_closures_due", "due_at", postgresql_where=text("swept_at IS NULL")),
    )

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    cause: str = Field(max_length=20)
    asked_at: datetime = created_at_field()
    due_at: datetime = Field(sa_type=Timestamp)
    erased_at: datetime | None = Field(default=None, sa_type=Timestamp)
    swept_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Redaction(SQLModel, table=True):
    """A sealed row whose texts were erased: its hash under the seal, and its hash since then.

    ``ledger verify`` accepts the second in place of the first, of an erased person alone.
    Append-only.
    """

    __tablename__ = "ledger_redactions"
    __table_args__ = (CheckConstraint("length(before) = 32 AND length(after) = 32", name="hashes"),)

    fact: str = Field(primary_key=True, max_length=40)
    key: bytes = Field(primary_key=True)
    before: bytes
    after: bytes
    person_id: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
