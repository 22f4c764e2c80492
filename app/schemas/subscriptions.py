"""Wire shapes of subscriptions, and the file of templates."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.core.language import Worded
from app.models.subscriptions import SubscriptionAnswer
from app.schemas.base import In, Out, example

TemplateId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]+$",
        min_length=1,
        max_length=64,
        description="WeChat's id of a message template.",
    ),
]
# A field of a template: its type and number.
FieldName = Annotated[
    str,
    Field(
        pattern="^(thing|name|number|letter|symbol|character_string|phrase|phone_number"
        "|amount|time|date)[0-9]{1,2}$"
    ),
]


class TemplateIn(BaseModel):
    """A template for the notices of a kind: see docs/notices.md.

    ``fields``: a text for each, with facts of the notice in braces as in ``core/wording``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    template_id: TemplateId
    page: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/?=&.-]{0,255}$")] | None = None
    fields: Annotated[dict[FieldName, str], Field(min_length=1, max_length=7)]


class AnswerIn(In):
    template_id: TemplateId
    answer: SubscriptionAnswer = Field(description="What the person answered for this template.")


class SubscriptionsIn(
    In,
    json_schema_extra=example(
        {
            "answers": [
                {"template_id": "sandbox-activity", "answer": "accept"},
                {"template_id": "sandbox-points", "answer": "reject"},
            ]
        }
    ),
):
    """The answers to one question of ``wx.requestSubscribeMessage``, each template once."""

    answers: Annotated[list[AnswerIn], Field(min_length=1, max_length=20)] = Field(
        description="One for each template of the question."
    )


class SubscriptionOut(Out):
    template_id: str = Field(description="WeChat's id of a message template.")
    titles: list[Worded] = Field(description="Of the notices that are sent by it.")
    kinds: list[str] = Field(description="Kinds of notices that are sent by it.")
    credits: int = Field(ge=0, description="How many may still be sent: one for each accept.")
    answer: SubscriptionAnswer | None = Field(description="The last one; null if there is none.")


class SubscriptionsOut(Out):
    """Every template that the client may ask for."""

    items: list[SubscriptionOut] = Field(description="One for each template.")


class SendPayload(BaseModel):
    """Of a message ``subscriptions.send`` in the outbox: whom, and by which message the notice."""

    person_id: UUID
    kind: str
    outbox_id: int
