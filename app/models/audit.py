"""The audit trail: who decided what. Append-only, without personal data."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, datetime, id_field


class AuditEntry(SQLModel, table=True):
    """Partitioned by month, which an id tells: it begins with the time.

    ``fields``: names of changed fields. ``actor_id`` is null for commands of an operator.

    ``at``: by ``moments.recorded``, so that none enters a sealed day.
    ``from_state`` and ``to_state`` are states, ``org_id`` is the subject's organisation.
    ``facts``: named values such as ``rows`` and ``list``.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_org", "org_id", "id"),
        Index("ix_audit_entries_subject", "subject_type", "subject_id", "id"),
        Index("ix_audit_entries_actor", "actor_id", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: UUID = id_field()
    at: datetime = created_at_field()
    actor_id: UUID | None = Field(default=None, foreign_key="people.id")
    verb: str = Field(max_length=40)
    subject_type: str = Field(max_length=40)
    subject_id: UUID
    org_id: UUID | None = Field(default=None, foreign_key="orgs.id")
    from_state: str | None = Field(default=None, max_length=40)
    to_state: str | None = Field(default=None, max_length=40)
    reason: str | None = Field(default=None, max_length=500)
    fields: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    facts: dict[str, Any] = Field(
        default_factory=dict,
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")),
    )
    request_id: str | None = Field(default=None, max_length=64)
