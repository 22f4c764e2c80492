"""Policies: the 积分管理办法 as versioned documents. Awards refer to rule and version."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field


class PolicyVersion(SQLModel, table=True):
    """A published document, in TOML. The service can insert rows but not change them.

    ``org_id`` NULL: applies to all organisations without a programme of their own.
    """

    __tablename__ = "policies"

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    org_id: UUID | None = Field(default=None, foreign_key="orgs.id")
    effective_from: datetime = Field(sa_type=Timestamp)
    source: str = Field(sa_column=Column(Text, nullable=False))
    published_by: UUID | None = Field(default=None, foreign_key="people.id")
    created_at: datetime = created_at_field()
