"""Wire shapes of co-organizers."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import PersonName
from app.schemas.base import (
    ActivityId,
    CreatedAt,
    Id,
    In,
    Out,
    PersonId,
    Text,
    example,
    require_one_name,
)
from app.schemas.notify import words

NOTICES = {
    "co_organizer_added": words(
        ("协办活动", "Co-organizing"),
        "您已成为「{title}」的协办人，可以修改活动并出示签到码。",
        "You are a co-organizer of “{title}”: you may edit it and show its check-in code.",
    )
}


class CoOrganizerIn(In, json_schema_extra=example({"card_no": "6800000000098"})):
    """Who it is: the id, or the number of the 青享卡."""

    person_id: Id | None = Field(default=None, description="Id of the person; or `card_no`.")
    card_no: Annotated[Text, Field(min_length=1, max_length=20)] | None = Field(
        default=None, description="Number of the person's card; or `person_id`."
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        require_one_name(self.person_id, self.card_no)
        return self


class CoOrganizerOut(Out):
    """``created_by``: who added the person."""

    id: UUID = Field(description="Id of the co-organizer's record.")
    activity_id: ActivityId
    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person.")
    created_by: UUID = Field(description="Id of the person who added the co-organizer.")
    created_at: CreatedAt
