"""Wire shapes of visits at checkpoints, and the words of the notice of a completed quest."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.scanned import MAX_SCANNED
from app.schemas.base import Code, In, Out, example
from app.schemas.checkins import PositionIn
from app.schemas.notify import words
from app.schemas.quests import Number, QuestProgressOut

NOTICES = {
    "quest_completed": words(
        ("打卡任务完成", "Quest completed"),
        "您已完成「{title}」，{points:n} 积分{available:已到账|待审核或等候期满后到账}。",
        "You have completed “{title}”: {points:n point}"
        " {available:credited|once they are confirmed or their wait is over}.",
    )
}


class QuestVisitIn(
    In,
    json_schema_extra=example(
        {
            "code": "QgIAAAABAAHq3mQ0b1YkX7sJd2uR5vTz",
            "location": {
                "latitude": 32.2368,
                "longitude": 119.8267,
                "accuracy_m": 20,
                "coordinate_system": "gcj02",
            },
        }
    ),
):
    """``code``: what the poster's QR code holds, the bare code or its URL."""

    code: Annotated[str, Code(MAX_SCANNED, hyphens=True)] = Field(
        description="What the poster holds: 32 characters of base64url, or a URL that ends in them."
    )
    location: PositionIn | None = Field(
        default=None,
        description="Where the phone is. Without it a visit that is new is refused.",
    )


class QuestVisitOut(Out):
    id: UUID = Field(description="Id of the visit.")
    quest_id: UUID = Field(description="Id of the quest.")
    number: Number
    visited_at: datetime = Field(description="When, in UTC.")


class QuestVisitResultOut(Out):
    """The visit, and how far the caller is in the quest."""

    visit: QuestVisitOut = Field(description="The visit.")
    mine: QuestProgressOut = Field(description="The caller's progress in the quest.")
