"""Wire shapes of what organizers do with activities of theirs."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from app.schemas import browsing
from app.schemas.activities import ActivityContent, ActivityOut
from app.schemas.base import Flag, Id, In, Moment, OneLine, example


class Part(StrEnum):
    """How the caller organizes an activity: by a role, or as a co-organizer."""

    organizer = "organizer"
    co_organizer = "co_organizer"


VALUES: dict[Any, Any] = browsing.VALUES | {
    Part: {
        Part.organizer: ("主办方", "organizer"),
        Part.co_organizer: ("协办人", "co-organizer"),
    }
}


class ActivityEditIn(
    ActivityContent,
    json_schema_extra=example(
        {
            "title": "五四江堤清洁",
            "description": "带上手套，八点半在三茅青年之家集合。",
            "category": "volunteer_service",
            "starts_at": "2028-05-04T09:00:00+08:00",
            "ends_at": "2028-05-04T11:00:00+08:00",
            "capacity": 40,
            "rule_key": "volunteer_hour",
            "location": {
                "name": "三茅青年之家",
                "latitude": 32.2368,
                "longitude": 119.8267,
                "radius_m": 200,
            },
            "waitlist_latest": False,
        }
    ),
):
    """The whole content: what is left out is cleared, but for the times of sign-up.

    Without ``signup_opens_at`` sign-up opens as before, without ``signup_closes_at`` it closes at
    the end.
    """

    cover_id: Id | None = Field(
        default=None, description="A picture of the activity, by the id of the attachment."
    )
    waitlist_latest: Flag = Field(
        default=False,
        description="With a capacity below the confirmed number: the latest sign-ups go to the"
        " head of the waiting list. Otherwise such a capacity is refused.",
    )


class ActivityCancelIn(In, json_schema_extra=example({"reason": "台风预警，活动取消"})):
    reason: Annotated[str, OneLine(200)] = Field(description="Everybody who signed up reads it.")


class ActivityCopyIn(In, json_schema_extra=example({"starts_at": "2028-05-04T14:00:00+08:00"})):
    """All times are shifted by as much as the start."""

    starts_at: Moment = Field(description="When the copy begins, with its offset from UTC.")


class OrganizedActivityOut(ActivityOut):
    """An activity with what waits for its organizers; who waits for a place is counted above."""

    part: Part = Field(description="How the caller organizes it.")
    awards_waiting: int = Field(description="Awards of its attendance that wait for reviewers.")
