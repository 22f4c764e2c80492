"""Forms (数字化表单): questions that an organisation asks, in versions that never change."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Record, created_at_field, id_field, one_of


class FormState(StrEnum):
    draft = "draft"
    published = "published"
    retired = "retired"


class Form(Record, table=True):
    """``version``: number of the newest version, which ``If-Match`` of an edit names."""

    __tablename__ = "forms"
    __table_args__ = (
        CheckConstraint(one_of("state", FormState), name="state"),
        CheckConstraint("version > 0", name="version"),
        Index("ix_forms_org", "org_id", "id"),
    )

    title: str = Field(max_length=80)
    state: str = Field(default=FormState.draft, max_length=20)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})


class FormVersion(SQLModel, table=True):
    """The questions of a form, numbered from 1. The service inserts rows and changes none.

    ``questions``: ``schemas.forms.Question`` as JSON. ``has_required``: at least one of them must
    be answered.
    """

    __tablename__ = "form_versions"
    __table_args__ = (
        UniqueConstraint("form_id", "number"),
        # What refers to a version with the form beside it, refers to a version of that form.
        UniqueConstraint("form_id", "id"),
        CheckConstraint("number > 0", name="number"),
    )

    id: UUID = id_field()
    form_id: UUID = Field(foreign_key="forms.id")
    number: int
    title: str = Field(max_length=80)
    questions: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    has_required: bool
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()
