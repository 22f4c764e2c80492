"""Wire shapes of messages to the participants of an activity, and the words of their notice."""

from typing import Annotated
from uuid import UUID

from app.schemas.base import In, OneLine, RecordOut
from app.schemas.notify import words

NOTICES = {
    "activity_message": words(
        ("活动通知", "Message from the organizer"),
        "「{title}」主办方：{text}",
        "The organizer of “{title}”: {text}",
    )
}


class ActivityMessageIn(In):
    """``text``: plain text on one line."""

    text: Annotated[str, OneLine(200)]


class ActivityMessageOut(RecordOut):
    """``recipients``: how many people it was sent to."""

    activity_id: UUID
    text: str
    recipients: int
