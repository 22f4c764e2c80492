"""API schemas of sign-ups."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.activities import ActivityStatus
from app.models.awards import AwardState
from app.models.signups import SignupStatus
from app.schemas import activities
from app.schemas.awards import reading as awards
from app.schemas.base import ActivityId, Out
from app.schemas.notify import words

HEADINGS = {
    "position": Bilingual("候补位次", "Place in the waiting list"),
    "activity_status": Bilingual("活动状态", "State of the activity"),
    "location_name": Bilingual("地点", "Place"),
    "checked_in_at": Bilingual("签到时间", "Checked in at (Shanghai)"),
    "award_state": Bilingual("积分状态", "State of the points"),
}
NOTICES = {
    "activity_waitlisted": words(
        ("转为候补", "Back in the waiting list"),
        "「{title}」（{starts_at:time}）名额减少，您的报名已转为候补。",
        "“{title}” ({starts_at:time}) has fewer places now: you are in its waiting list.",
    )
}
VALUES: dict[Any, Any] = {
    ActivityStatus: activities.VALUES[ActivityStatus],
    AwardState: awards.VALUES[AwardState],
    SignupStatus: {
        SignupStatus.confirmed: ("已确认", "confirmed"),
        SignupStatus.waitlisted: ("候补", "waitlisted"),
        SignupStatus.pending: ("待确认", "pending"),
        SignupStatus.cancelled: ("已取消", "cancelled"),
    },
}


class SignupOut(Out):
    """``position`` in the waiting list, from 1; null if not waiting."""

    id: UUID = Field(description="Id of the sign-up.")
    activity_id: ActivityId
    status: SignupStatus = Field(description="State of the sign-up.")
    position: int | None = Field(
        description="Place in the waiting list, from 1; null if not waiting."
    )
    created_at: datetime = Field(description="When the person signed up, in UTC.")


class MySignupOut(SignupOut):
    """A sign-up of the caller, with the activity and what the attendance brought."""

    title: str = Field(description="What the activity is called.")
    activity_status: ActivityStatus = Field(description="State of the activity.")
    starts_at: datetime = Field(description="When the activity begins, in UTC.")
    ends_at: datetime = Field(description="When the activity ends, in UTC.")
    location_name: str | None = Field(description="Where it is; null: nowhere in particular.")
    checked_in_at: datetime | None = Field(
        description="When the caller checked in, in UTC; null if not."
    )
    award_state: AwardState | None = Field(description="Of the award; null before the check-in.")
    points: int | None = Field(description="What the award gives; null before the check-in.")
    minutes: int | None = Field(description="Minutes of service of the award.")
