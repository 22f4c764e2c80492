"""Logins of web pages: opaque cookies, stored as hashes."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from app.models.base import Timestamp


class WebLogin(SQLModel, table=True):
    """SHA-256 of a cookie. Revoking its family ends it, as it ends the family's tokens."""

    __tablename__ = "web_logins"

    hash: bytes = Field(primary_key=True)
    family_id: UUID = Field(foreign_key="token_families.id", index=True, ondelete="CASCADE")
    expires_at: datetime = Field(sa_type=Timestamp)
