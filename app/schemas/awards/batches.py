"""Batches: awards by hand row by row, as JSON or as the rows of a sheet."""

from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, ValidationError, WrapValidator, model_validator
from pydantic_core import ErrorDetails

from app.core.language import PersonName, Worded
from app.core.validation_messages import explained
from app.schemas.awards.proposals import MAX_PEOPLE, ActIn, RuleKey
from app.schemas.awards.reading import AwardOut
from app.schemas.base import STREET, Flag, Id, In, Out, Text, example, require_one_name


class BatchRowIn(ActIn):
    """What one person did; who it is, the id or the number of the 青享卡 says."""

    person_id: Id | None = Field(default=None, description="Id of the person; or `card_no`.")
    card_no: Annotated[Text, Field(min_length=1, max_length=40)] | None = Field(
        default=None, description="Number of the person's card; or `person_id`."
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class MistakeOut(Out):
    """What is wrong with a field, in the language of the request."""

    field: str = Field(description="Name of the field.")
    msg: Worded = Field(description="What is wrong, in the language of the request.")


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


class BatchIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "rule_key": "commendation",
            "partial": False,
            "rows": [
                {
                    "card_no": "6800000000072",
                    "grade": "city",
                    "evidence": {"document": "扬青发〔2026〕3号", "public_notice": "5 日"},
                },
                {
                    "card_no": "6800000000080",
                    "grade": "town",
                    "evidence": {"document": "扬青发〔2026〕3号", "public_notice": "5 日"},
                },
            ],
        }
    ),
):
    """Points by hand, row by row: all of them, or with ``partial`` those without a mistake."""

    rule_key: RuleKey
    org_id: Id = Field(description="Id of the organisation that proposes it.")
    partial: Flag = Field(
        default=False, description="True: propose the rows without a mistake; false: all or none."
    )
    rows: Annotated[
        list[Annotated[BatchRowIn, WrapValidator(lambda row, _handler: read_row(row))]],
        Field(min_length=1, max_length=MAX_PEOPLE),
    ] = Field(description="One row a person, at most 500.")


class BatchRowOut(Out):
    """``row`` counts from 1, or is the row's number in the sheet.

    Either there is an ``award``, and the masked name of its person, or there are ``mistakes``:
    whose card it is, is told only with an award.
    """

    row: int = Field(description="Number of the row, from 1; or its number in the sheet.")
    person_id: UUID | None = Field(description="Id of the person; null with mistakes.")
    display_name: PersonName | None = Field(
        description="The person's name, masked; null with mistakes."
    )
    award: AwardOut | None = Field(description="The award; null with mistakes.")
    points_if_approved_now: int | None = Field(
        description="Points that the caps leave at this moment; null with mistakes."
    )
    mistakes: list[MistakeOut] = Field(description="What is wrong with the row; empty if nothing.")


class BatchOut(Out):
    proposed: int = Field(description="Rows that were proposed.")
    refused: int = Field(description="Rows with a mistake.")
    rows: list[BatchRowOut] = Field(description="All rows, in their order.")
