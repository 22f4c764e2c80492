"""Wire shapes of messages to the participants of an activity, and the words of their notice."""

from typing import Annotated

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import ActivityId, In, OneLine, RecordOut, example
from app.schemas.notify import words

HEADINGS = {
    "text": Bilingual("内容", "Text"),
    "recipients": Bilingual("接收人数", "Recipients"),
}


NOTICES = {
    "activity_message": words(
        ("活动通知", "Message from the organizer"),
        "「{title}」主办方：{text}",
        "The organizer of “{title}”: {text}",
    )
}


class ActivityMessageIn(In, json_schema_extra=example({"text": "因下雨改在室内集合，时间不变。"})):
    """``text``: plain text on one line."""

    text: Annotated[str, OneLine(200)] = Field(
        description="What is sent to everybody who signed up."
    )


class ActivityMessageOut(RecordOut):
    """``recipients``: how many people it was sent to."""

    activity_id: ActivityId
    text: str = Field(description="What was sent.")
    recipients: int = Field(description="How many people it was sent to.")
