"""Consents: which version of a text somebody agreed to, and when it was withdrawn. Append-only."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.models.base import created_at_field, id_field, one_of


class ConsentDocument(StrEnum):
    """The text that is agreed to. ``guardian``: by a guardian, of who is under 14 (PIPL 31)."""

    privacy = "privacy"
    terms = "terms"
    guardian = "guardian"


class Consent(SQLModel, table=True):
    """An entry of the log: the newest of a person and document counts.

    ``guardian_sealed``: name and relation of the guardian, encrypted; emptied with the person.
    """

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint(one_of("document", ConsentDocument), name="document"),
        CheckConstraint(
            "guardian_sealed IS NULL OR document = 'guardian' AND given", name="guardian"
        ),
        Index("ix_consents_person", "person_id", "id"),
    )

    id: UUID = id_field()
    person_id: UUID = Field(foreign_key="people.id")
    document: str = Field(max_length=20)
    version: str = Field(max_length=20)
    given: bool
    guardian_sealed: bytes | None = None
    created_at: datetime = created_at_field()
