"""Wire shapes of awards."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, field_validator

from app.schemas.base import Flag, Id, In, Line, Out, Text

MAX_PEOPLE = 500


class AwardOut(Out):
    """``points`` is what the caps left; ``reason`` says why, in the caller's language.

    The ledger's transfer has the same id (no transfer for 0 points).
    """

    id: UUID
    points: int
    minutes: int
    state: str
    rule_key: str
    reason: str


class RejectionIn(In):
    reason: Annotated[str, Line(200)]


class ObjectionIn(In):
    reason: Annotated[str, Line(500)]


class ObjectionOut(Out):
    """``upheld`` is null while nobody has decided."""

    id: UUID
    award_id: UUID
    reason: str
    upheld: bool | None


class DecisionIn(In):
    upheld: Flag
    reason: Annotated[str, Line(500)]


class AwardNoticeOut(Out):
    """An award that everybody may look at until ``ends_at``, and who gets it, masked."""

    award: AwardOut
    display_name: str
    org_id: UUID
    title: str
    ends_at: datetime
    has_objection: bool


class PersonAwardOut(Out):
    person_id: UUID
    award: AwardOut


class AwardsOut(Out):
    items: list[PersonAwardOut]


class AwardsIn(In):
    """Points by hand: ``evidence`` holds what the rule demands, by its names.

    ``grade`` chooses one of the rule's grades; ``points`` an amount, where the rule has
    ``up_to``.
    """

    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["commendation"])]
    org_id: Id
    person_ids: Annotated[
        list[Id],
        Field(min_length=1, max_length=MAX_PEOPLE, json_schema_extra={"uniqueItems": True}),
    ]
    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    grade: Annotated[Text, Field(min_length=1, max_length=40, examples=["city"])] | None = None
    points: Annotated[int, Field(ge=1, le=1_000, strict=True)] | None = None
    evidence: Annotated[
        dict[str, Annotated[str, Line(500)]],
        Field(max_length=20, examples=[{"document": "扬青发〔2026〕3号", "public_notice": "5 日"}]),
    ]

    @field_validator("person_ids")
    @classmethod
    def _each_once(cls, people: list[UUID]) -> list[UUID]:
        if len(set(people)) != len(people):
            raise ValueError("a person is named twice")
        return people

    @field_validator("evidence")
    @classmethod
    def _named(cls, evidence: dict[str, str]) -> dict[str, str]:
        if any(not name or len(name) > 40 or not name.isprintable() for name in evidence):
            raise ValueError("an evidence field has a name of at most 40 characters")
        return evidence
