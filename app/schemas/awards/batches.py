"""Batches: awards by hand row by row, as JSON or as the rows of a sheet."""

from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, ValidationError, WrapValidator, model_validator
from pydantic_core import ErrorDetails

from app.core.language import Worded
from app.core.validation_messages import explained
from app.schemas.awards.proposals import MAX_PEOPLE, ActIn, RuleKey
from app.schemas.awards.reading import AwardOut
from app.schemas.base import Flag, Id, In, Out, Text, require_one_name


class BatchRowIn(ActIn):
    """What one person did; who it is, the id or the number of the 青享卡 says."""

    person_id: Id | None = None
    card_no: Annotated[Text, Field(min_length=1, max_length=40)] | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class MistakeOut(Out):
    """What is wrong with a field, in the language of the request."""

    field: str
    msg: Worded


@dataclass(frozen=True, slots=True)
class Misread:
    """A row that does not validate. It is reported with the other rows of the batch."""

    mistakes: list[MistakeOut]


def read_row(row: object) -> BatchRowIn | Misread:
    try:
        return BatchRowIn.model_validate(row)
    except ValidationError as error:
        return Misread([_mistake(one) for one in error.errors()])


def _mistake(error: ErrorDetails) -> MistakeOut:
    whole = "card_no" if error["type"] == "bilingual" else "row"
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


class BatchRowOut(Out):
    """``row`` counts from 1, or is the row's number in the sheet.

    Either there is an ``award``, and the masked name of its person, or there are ``mistakes``:
    whose card it is, is told only with an award.
    """

    row: int
    person_id: UUID | None
    display_name: str | None
    award: AwardOut | None
    points_if_approved_now: int | None
    mistakes: list[MistakeOut]


class BatchOut(Out):
    proposed: int
    refused: int
    rows: list[BatchRowOut]
