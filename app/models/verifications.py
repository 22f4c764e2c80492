"""Verifications of the ledger that administrators and auditors of a root asked for."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class VerificationState(StrEnum):
    """``interrupted``: its worker ended meanwhile. ``failed``: an error, or it took too long."""

    waiting = "waiting"
    running = "running"
    ok = "ok"
    findings = "findings"
    interrupted = "interrupted"
    failed = "failed"


class Verification(SQLModel, table=True):
    """One at a time: a partial unique index allows one that waits or runs.

    ``beat_at``: when its worker last wrote that it runs. ``findings``: by check, how many
    differences (at most 100 are counted). ``head``: the seal of ``sealed_to``, the last sealed
    day. All times are by the database's clock.
    """

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint(one_of("state", VerificationState), name="state"),
        CheckConstraint(
            "(ended_at IS NULL) = (state IN ('waiting', 'running'))"
            " AND (state <> 'waiting') >= (started_at IS NOT NULL)",
            name="times",
        ),
        CheckConstraint("(state = 'findings') = (findings <> '{}')", name="findings"),
        CheckConstraint("(state IN ('ok', 'findings')) <= (checks > 0)", name="checks"),
        CheckConstraint("num_nonnulls(sealed_to, head) IN (0, 2)", name="head"),
        Index(
            "uq_verifications_active",
            text("(true)"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: UUID = id_field()
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
    state: str = Field(max_length=20)
    started_at: datetime | None = Field(default=None, sa_type=Timestamp)
    beat_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    step: str | None = Field(default=None, max_length=200)
    steps_done: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    steps_total: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    checks: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    rows_read: dict[str, int] = Field(
        default_factory=dict,
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")),
    )
    findings: dict[str, Any] = Field(
        default_factory=dict,
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")),
    )
    sealed_to: date | None = None
    head: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
