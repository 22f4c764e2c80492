"""Logins: families of rotating refresh tokens, stored as hashes."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field


class TokenFamily(SQLModel, table=True):
    """A login and all tokens refreshed from it. Revoking it invalidates all of them."""

    __tablename__ = "token_families"

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id", index=True)
    created_at: datetime = created_at_field()
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)


class RefreshToken(SQLModel, table=True):
    """SHA-256 of an opaque token, valid once: a second use is treated as theft."""

    __tablename__ = "refresh_tokens"

    hash: bytes = Field(primary_key=True)
    family_id: UUID = Field(foreign_key="token_families.id", index=True)
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
