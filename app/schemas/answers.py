"""Wire shapes of answers to forms."""

import math
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.schemas.base import In, Out, Words, example
from app.schemas.forms import MAX_CHOICES, MAX_NUMBER, MAX_QUESTIONS, MAX_TEXT, Key

MAX_ITEM = 40  # characters of the key of a choice, or of the id of a picture
_WORDS = TypeAdapter[str](Words)
Answer = str | int | float | bool | list[str] | None
HEADINGS = {
    "answers": Bilingual("答案", "Answers"),
    "number": Bilingual("表单版本", "Version of the form"),
    "updated_at": Bilingual("填写时间", "Answered at (Shanghai)"),
}


def _answer(value: object) -> Answer:
    """Accept what a question of some kind may be answered with; which one, its version tells."""
    match value:
        case None | bool():
            return value
        case str() if len(value) > MAX_TEXT:
            raise wrong(f"最多 {MAX_TEXT} 个字符", f"at most {MAX_TEXT} characters")
        case str():
            return _storable(value)
        case int() | float() if abs(value) > MAX_NUMBER or not math.isfinite(value):
            raise wrong("数字过大", "the number is too large")
        case int() | float():
            return value
        case list() if len(value) > MAX_CHOICES:
            raise wrong(f"最多 {MAX_CHOICES} 项", f"at most {MAX_CHOICES} items")
        case list() if all(isinstance(one, str) and len(one) <= MAX_ITEM for one in value):
            return [_storable(one) for one in value]
    raise wrong(
        "应为文字、数字、是否或选项列表", "expected a text, a number, true or false, or a list"
    )


def _storable(text: str) -> str:
    try:
        return _WORDS.validate_python(text)
    except ValidationError:
        raise wrong("含有不能保存的字符", "holds characters that cannot be stored") from None


def _schema() -> dict[str, Any]:
    item = {"type": "string", "maxLength": MAX_ITEM}
    number = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    return {
        "anyOf": [
            {"type": "string", "maxLength": MAX_TEXT},
            number,
            {"type": "boolean"},
            {"type": "array", "maxItems": MAX_CHOICES, "items": item},
            {"type": "null"},
        ]
    }


AnswerValue = Annotated[Any, PlainValidator(_answer), WithJsonSchema(_schema())]
Answers = Annotated[dict[Key, AnswerValue], Field(max_length=MAX_QUESTIONS)]
_ANSWERED: dict[str, Any] = {"phone": "138 1234 5678", "shirt": "l", "agreed": True}


class AnswersIn(
    In,
    json_schema_extra=example(
        {"form_version_id": "01900000-0000-7000-8000-000000000001", "answers": _ANSWERED}
    ),
):
    """Answers by the key of their question. Null, and what is left out, is not answered.

    A text or the key of a choice; a number; a day as `2028-05-04`; true or false for a consent;
    a list of keys of choices, or of ids of pictures.
    """

    form_version_id: UUID = Field(
        description="Id of the version that was shown: these are answers to its questions."
    )
    answers: Answers = Field(description="The answers, by the key of the question.")


class OwnAnswersOut(Out):
    """The caller's own answers, by the key of their question."""

    id: UUID = Field(description="Id of the answers.")
    form_version_id: UUID = Field(description="Id of the version that they were given to.")
    answers: dict[str, AnswerValue] = Field(description="The answers, by the key of the question.")
    created_at: datetime = Field(description="When the person answered first, in UTC.")
    updated_at: datetime = Field(description="When the person answered last, in UTC.")
