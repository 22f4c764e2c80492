"""Merchants that were shown too many wrong codes of cards."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp


class CodeLock(SQLModel, table=True):
    """``misses``: when wrong codes were entered at the counters of a merchant, the latest last."""

    __tablename__ = "code_locks"

    merchant_id: UUID = Field(primary_key=True, foreign_key="merchants.id")
    misses: list[datetime] = Field(
        default=[], sa_column=Column(ARRAY(Timestamp), nullable=False, server_default="{}")
    )
    locked_until: datetime | None = Field(default=None, sa_type=Timestamp)
