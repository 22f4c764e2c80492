"""Wire shapes of forms: the kinds of questions, and a form with its versions."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from app.core.language import Bilingual, named
from app.core.validation_messages import wrong
from app.models.forms import Form, FormState, FormVersion
from app.schemas.base import (
    STORED,
    STREET,
    Flag,
    In,
    Number,
    OneLine,
    OrgId,
    RecordOut,
    Version,
    example,
)

MAX_QUESTIONS, MAX_CHOICES = 60, 50
MAX_TEXT = 1000  # characters of an answer
MAX_NUMBER = 1_000_000_000
MAX_PICTURES = 9  # of one person, in all answers to one form
VALUES = {
    FormState: {
        FormState.draft: ("草稿", "draft"),
        FormState.published: ("已发布", "published"),
        FormState.retired: ("已停用", "retired"),
    }
}
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", max_length=40)]
Label = Annotated[str, OneLine(200)]
LabelEn = Annotated[str, OneLine(200)] | None


class Choice(In):
    """One of the answers that a question offers."""

    key: Key = Field(description="Names the choice in answers.")
    label: Label = Field(description="What is shown, in Chinese.")
    label_en: LabelEn = Field(default=None, description="In English; null: the Chinese one.")

    @property
    def words(self) -> Bilingual:
        return named(self.label, self.label_en)


class _Asked(In):
    key: Key = Field(description="Names the question in answers; keeps its meaning in versions.")
    label: Label = Field(description="The question, in Chinese.")
    label_en: LabelEn = Field(default=None, description="In English; null: the Chinese one.")
    required: Flag = Field(default=False, description="Whether it must be answered.")

    @property
    def words(self) -> Bilingual:
        return named(self.label, self.label_en)


class TextQuestion(_Asked):
    """Answered by a text; lines are allowed."""

    kind: Literal["text"] = Field(description="Kind of the question.")
    max_length: Annotated[int, Field(ge=1, le=MAX_TEXT, strict=True)] = Field(
        default=200, description="Most characters of an answer."
    )


class NumberQuestion(_Asked):
    """Answered by a number."""

    kind: Literal["number"] = Field(description="Kind of the question.")
    min: Annotated[Number, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)] = Field(
        default=-MAX_NUMBER, description="Least answer."
    )
    max: Annotated[Number, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)] = Field(
        default=MAX_NUMBER, description="Greatest answer."
    )
    decimals: Annotated[int, Field(ge=0, le=4, strict=True)] = Field(
        default=0, description="Most decimal places; 0: whole numbers alone."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise wrong("最小值大于最大值", "min is greater than max")
        return self


def _distinct(choices: list[Choice]) -> list[Choice]:
    if len({one.key for one in choices}) < len(choices):
        raise wrong("选项标识重复", "a key of a choice is there twice")
    return choices


Choices = Annotated[
    list[Choice], Field(min_length=2, max_length=MAX_CHOICES), AfterValidator(_distinct)
]


class SingleChoiceQuestion(_Asked):
    """Answered by the key of a choice."""

    kind: Literal["single_choice"] = Field(description="Kind of the question.")
    choices: Choices = Field(description="What may be chosen, in the order shown.")


class MultipleChoiceQuestion(_Asked):
    """Answered by a list of keys of choices."""

    kind: Literal["multiple_choice"] = Field(description="Kind of the question.")
    choices: Choices = Field(description="What may be chosen, in the order shown.")
    most: Annotated[int, Field(ge=1, le=MAX_CHOICES, strict=True)] | None = Field(
        default=None, description="Most choices of an answer; null: all."
    )


class DateQuestion(_Asked):
    """Answered by a day, such as `2028-05-04`, of 1900 to 2099."""

    kind: Literal["date"] = Field(description="Kind of the question.")


class PhoneQuestion(_Asked):
    """Answered by a mobile or landline number of mainland China."""

    kind: Literal["phone"] = Field(description="Kind of the question.")


class ConsentQuestion(_Asked):
    """Answered by true or false; where it is required, by true. The label is what is agreed to."""

    kind: Literal["consent"] = Field(description="Kind of the question.")


class PictureQuestion(_Asked):
    """Answered by a list of ids of attachments that the person uploaded."""

    kind: Literal["picture"] = Field(description="Kind of the question.")
    most: Annotated[int, Field(ge=1, le=MAX_PICTURES, strict=True)] = Field(
        default=1, description="Most pictures of an answer."
    )


Question = Annotated[
    TextQuestion
    | NumberQuestion
    | SingleChoiceQuestion
    | MultipleChoiceQuestion
    | DateQuestion
    | PhoneQuestion
    | ConsentQuestion
    | PictureQuestion,
    Field(discriminator="kind"),
]


def _consistent(questions: list[Question]) -> list[Question]:
    if len({one.key for one in questions}) < len(questions):
        raise wrong("题目标识重复", "a key of a question is there twice")
    pictures = sum(one.most for one in questions if isinstance(one, PictureQuestion))
    if pictures > MAX_PICTURES:
        raise wrong(
            f"全部题目最多共 {MAX_PICTURES} 张图片", f"at most {MAX_PICTURES} pictures in all"
        )
    return questions


Questions = Annotated[
    list[Question],
    Field(min_length=1, max_length=MAX_QUESTIONS),
    AfterValidator(_consistent),
]
_QUESTIONS = TypeAdapter[list[Question]](Questions)
_EXAMPLE: dict[str, Any] = {
    "title": "志愿者报名表",
    "questions": [
        {"key": "phone", "kind": "phone", "label": "联系电话", "required": True},
        {
            "key": "shirt",
            "kind": "single_choice",
            "label": "马甲尺码",
            "label_en": "Size of the vest",
            "choices": [{"key": "m", "label": "M"}, {"key": "l", "label": "L"}],
        },
        {"key": "agreed", "kind": "consent", "label": "我已知悉安全须知", "required": True},
    ],
}


def questions_of(version: FormVersion) -> list[Question]:
    """Return the questions of a stored version."""
    return _QUESTIONS.validate_python(version.questions, context=STORED)


class FormEditIn(In, json_schema_extra=example(_EXAMPLE)):
    """What the next version of a form asks."""

    title: Annotated[str, OneLine(80)] = Field(description="What the form is called.")
    questions: Questions = Field(description="What is asked, in the order shown; 60 at most.")


class FormIn(FormEditIn, json_schema_extra=example({"org_id": STREET} | _EXAMPLE)):
    org_id: OrgId


class FormOut(RecordOut):
    """A form. ``version`` is what ``If-Match`` of an edit names."""

    title: str = Field(description="What the form is called.")
    state: FormState = Field(description="Only a published form can be given to an activity.")
    version: Version


class FormDetailOut(FormOut):
    """A form with the questions of one of its versions."""

    number: int = Field(description="Number of the version whose questions these are.")
    form_version_id: UUID = Field(description="Id of that version.")
    questions: list[Question] = Field(description="What is asked, in the order shown.")

    @classmethod
    def of(cls, form: Form, version: FormVersion) -> Self:
        shown = form.model_dump() | {
            "number": version.number,
            "form_version_id": version.id,
            "questions": version.questions,
        }
        return cls.model_validate(shown, context=STORED)
