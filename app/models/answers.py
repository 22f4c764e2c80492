"""Answers of people to forms."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class AnswerSubject(StrEnum):
    """What people answer a form for."""

    activity = "activity"


class FormAnswer(SQLModel, table=True):
    """One person's answers to one form for one subject, by the keys of the questions.

    They are valid for ``form_version_id``, the version that they were given to. Personal data:
    read by who answered and who organizes the subject, erased with the person.
    """

    __tablename__ = "form_answers"
    __table_args__ = (
        CheckConstraint(one_of("subject_type", AnswerSubject), name="subject_type"),
        UniqueConstraint("subject_type", "subject_id", "person_id", "form_id"),
        ForeignKeyConstraint(
            ["form_id", "form_version_id"], ["form_versions.form_id", "form_versions.id"]
        ),
        Index("ix_form_answers_subject", "subject_type", "subject_id", "id"),
        Index("ix_form_answers_person", "person_id", "id"),
    )

    id: UUID = id_field()
    form_id: UUID
    form_version_id: UUID
    subject_type: str = Field(max_length=40)
    subject_id: UUID
    person_id: UUID = Field(foreign_key="people.id")
    answers: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = created_at_field()
    updated_at: datetime = Field(sa_type=Timestamp)
