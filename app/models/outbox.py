"""The outbox: side effects, written in the transaction that causes them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field


class OutboxMessage(SQLModel, table=True):
    """Handled at least once: handlers are idempotent by ``id``, which is unique by itself.

    Partitioned by the month of ``created_at``, which the primary key must contain therefore.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "due_at", "id", postgresql_where=text("handled_at IS NULL")),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    id: int = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    topic: str = Field(max_length=60)
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    due_at: datetime = created_at_field()
    created_at: datetime = Field(
        default=None,
        primary_key=True,
        sa_type=Timestamp,
        sa_column_kwargs={"server_default": text("now()")},
    )
    handled_at: datetime | None = Field(default=None, sa_type=Timestamp)
