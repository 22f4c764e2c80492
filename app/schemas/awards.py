"""Wire shapes of awards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    Field,
    PlainSerializer,
    ValidationError,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from app.core.language import Bilingual, Worded
from app.core.validation_messages import explained
from app.models.awards import AwardReason
from app.schemas.base import Flag, Id, In, OneLine, Out, Text

MAX_PEOPLE = 500
# A rule may ask for twenty things where it is written, and for more after a change above.
MAX_EVIDENCE = 100
RuleKey = Annotated[Text, Field(min_length=1, max_length=40, examples=["commendation"])]


REASONS: dict[AwardReason, Bilingual] = {
    AwardReason.full: Bilingual("按规则足额计分", "Full points by the rule."),
    AwardReason.cap_day: Bilingual("已达本规则每日上限", "Limited by the rule's daily cap."),
    AwardReason.cap_month: Bilingual("已达本规则每月上限", "Limited by the rule's monthly cap."),
    AwardReason.cap_year: Bilingual("已达本规则每年上限", "Limited by the rule's yearly cap."),
    AwardReason.overall_day: Bilingual("已达每日总上限", "Limited by the overall daily cap."),
    AwardReason.overall_month: Bilingual("已达每月总上限", "Limited by the overall monthly cap."),
    AwardReason.overall_year: Bilingual("已达每年总上限", "Limited by the overall yearly cap."),
    AwardReason.once: Bilingual("该项积分已领取过", "These points are given once."),
}


class AwardOut(Out):
    """``points`` is what the caps left; ``reason`` says why, in the caller's language.

    The ledger's transfer has the same id (no transfer for 0 points).
    """

    id: UUID
    points: int
    minutes: int
    state: str
    rule_key: str
    reason: Annotated[
        AwardReason,
        PlainSerializer(lambda reason: REASONS[reason].said(), return_type=str),
    ]


class RejectionIn(In):
    reason: Annotated[str, OneLine(200)]


class ObjectionIn(In):
    reason: Annotated[str, OneLine(500)]


class ObjectionOut(Out):
    """``upheld`` is null while nobody has decided."""

    id: UUID
    award_id: UUID
    reason: str
    upheld: bool | None


class DecisionIn(In):
    upheld: Flag
    reason: Annotated[str, OneLine(500)]


class AwardNoticeOut(Out):
    """An award that everybody may look at until ``ends_at``, and who gets it, masked."""

    award: AwardOut
    display_name: str
    org_id: UUID
    title: str
    ends_at: datetime
    has_objection: bool


class MyAwardOut(Out):
    """One's own award. Besides its states it may be ``spent``, or ``expired`` (what was left).

    ``left`` of its points can be spent, the first of them until ``expires_at``. ``release_at``:
    when it becomes available, if nobody stops it.
    """

    award: AwardOut
    title: str
    org_id: UUID
    awarded_at: datetime
    release_at: datetime | None
    has_objection: bool
    left: int
    expires_at: datetime | None


class AwardCaseOut(Out):
    """An award as its reviewers and auditors see it; the name is masked."""

    award: AwardOut
    person_id: UUID
    display_name: str
    org_id: UUID
    title: str
    evidence: dict[str, str]
    proposed_by: UUID | None
    proposal_id: UUID | None
    awarded_at: datetime
    release_at: datetime | None
    reviews_needed: int
    approvals: int
    objections: list[ObjectionOut]


class PersonAwardOut(Out):
    person_id: UUID
    award: AwardOut


class AwardsOut(Out):
    items: list[PersonAwardOut]


class ActIn(In):
    """What an act is worth by its rule, and what proves it.

    ``evidence`` holds what the rule demands, by its names; ``grade`` chooses one of the
    rule's grades; ``points`` an amount, where the rule has ``up_to``.
    """

    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    grade: Annotated[Text, Field(min_length=1, max_length=40, examples=["city"])] | None = None
    points: Annotated[int, Field(ge=1, le=1_000, strict=True)] | None = None
    evidence: Annotated[
        dict[str, Annotated[str, OneLine(500)]],
        Field(
            max_length=MAX_EVIDENCE,
            examples=[{"document": "扬青发〔2026〕3号", "public_notice": "5 日"}],
        ),
    ]

    @field_validator("evidence")
    @classmethod
    def _named(cls, evidence: dict[str, str]) -> dict[str, str]:
        if any(not name or len(name) > 40 or not name.isprintable() for name in evidence):
            raise ValueError("an evidence field has a name of at most 40 characters")
        return evidence


class AwardsIn(ActIn):
    """Points by hand: the same act of several people."""

    rule_key: RuleKey
    org_id: Id
    person_ids: Annotated[
        list[Id],
        Field(min_length=1, max_length=MAX_PEOPLE, json_schema_extra={"uniqueItems": True}),
    ]

    @field_validator("person_ids")
    @classmethod
    def _each_once(cls, people: list[UUID]) -> list[UUID]:
        if len(set(people)) != len(people):
            raise ValueError("a person is named twice")
        return people


class BatchRowIn(ActIn):
    """What one person did; who it is, the id or the number of the 青享卡 says."""

    person_id: Id | None = None
    card_no: Annotated[Text, Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if (self.person_id is None) == (self.card_no is None):
            raise ValueError("either person_id or card_no names the person")
        return self


@dataclass(frozen=True, slots=True)
class Misread:
    """A row that is not what it should be: told with the others, not instead of them."""

    mistakes: list["MistakeOut"]


def read_row(row: object) -> "BatchRowIn | Misread":
    try:
        return BatchRowIn.model_validate(row)
    except ValidationError as error:
        return Misread([_mistake(one) for one in error.errors()])


def _mistake(error: ErrorDetails) -> "MistakeOut":
    whole = "card_no" if error["type"] == "value_error" else "row"
    name = ".".join(str(part) for part in error["loc"]) or whole
    return MistakeOut(field=name, msg=explained(error))


class BatchIn(In):
    """Points by hand, row by row: all of them, or with ``partial`` those without a mistake."""

    rule_key: RuleKey
    org_id: Id
    partial: Flag = False
    rows: Annotated[
        list[Annotated[BatchRowIn, WrapValidator(lambda row, _handler: read_row(row))]],
        Field(min_length=1, max_length=MAX_PEOPLE),
    ]


class MistakeOut(Out):
    """What is wrong with a field, in the language of the request."""

    field: str
    msg: Worded


class BatchRowOut(Out):
    """``row`` counts from 1, or is the row's number in the sheet. The name is masked.

    Either there is an ``award`` or there are ``mistakes``.
    """

    row: int
    person_id: UUID | None
    display_name: str | None
    award: AwardOut | None
    mistakes: list[MistakeOut]


class BatchOut(Out):
    proposed: int
    refused: int
    rows: list[BatchRowOut]
