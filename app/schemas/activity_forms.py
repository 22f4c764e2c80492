"""Wire shapes of the forms of activities."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.language import PersonName
from app.models.signups import SignupStatus
from app.schemas import answers, attendance
from app.schemas.answers import AnswerValue, OwnAnswersOut
from app.schemas.base import ActivityId, Id, In, Out, PersonId, example
from app.schemas.forms import Question

HEADINGS = {**attendance.HEADINGS, **answers.HEADINGS}
VALUES = {SignupStatus: attendance.VALUES[SignupStatus]}


class ActivityFormIn(
    In, json_schema_extra=example({"form_id": "01900000-0000-7000-8000-000000000001"})
):
    form_id: Id = Field(
        description="Id of a published form of the activity's organisation, or of one above it."
    )


class ActivityFormOut(Out):
    """What those who sign up to an activity are asked."""

    activity_id: ActivityId
    form_id: UUID = Field(description="Id of the form.")
    form_version_id: UUID = Field(description="Id of its version; answers name it.")
    number: int = Field(description="Number of that version.")
    title: str = Field(description="What the form is called.")
    questions: list[Question] = Field(description="What is asked, in the order shown.")
    closes_at: datetime = Field(description="Until when it can be answered: the start, in UTC.")
    mine: OwnAnswersOut | None = Field(
        description="The caller's own answers; null: none, or nobody is logged in."
    )


class ParticipantAnswersOut(Out):
    """A person's answers. The card number is masked; for auditors more is: see the operation."""

    id: UUID = Field(description="Id of the answers.")
    person_id: PersonId
    display_name: PersonName = Field(description="The person's name; masked for auditors.")
    card_no: str = Field(description="Number of the person's card, masked.")
    status: SignupStatus | None = Field(
        description="State of the person's sign-up; null: none that stands."
    )
    number: int = Field(description="Number of the version of the form that was answered.")
    updated_at: datetime = Field(description="When the person answered last, in UTC.")
    answers: dict[str, AnswerValue] = Field(description="The answers, by the key of the question.")
