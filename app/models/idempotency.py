"""Idempotency keys: the first reply to a write, stored to be returned to retries."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field


class IdempotencyKey(SQLModel, table=True):
    """``fingerprint``: SHA-256 of method, path and body. The reply is stored as sent.

    One that holds a secret is encrypted.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: bytes
    status: int | None = None
    body: bytes | None = None
    created_at: datetime = created_at_field()
