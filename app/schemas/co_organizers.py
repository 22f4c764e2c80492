"""Wire shapes of co-organizers."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.schemas.base import Id, In, Out, Text, require_one_name
from app.schemas.notify import words

NOTICES = {
    "co_organizer_added": words(
        ("协办活动", "Co-organizing"),
        "您已成为「{title}」的协办人，可以修改活动并出示签到码。",
        "You are a co-organizer of “{title}”: you may edit it and show its check-in code.",
    )
}


class CoOrganizerIn(In):
    """Who it is: the id, or the number of the 青享卡."""

    person_id: Id | None = None
    card_no: Annotated[Text, Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class CoOrganizerOut(Out):
    """``created_by``: who added the person."""

    id: UUID
    activity_id: UUID
    person_id: UUID
    display_name: str
    created_by: UUID
    created_at: datetime
