"""API schemas of sign-ups."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.activities import ActivityStatus
from app.models.awards import AwardState
from app.models.sessions import MOST
from app.models.signups import MOST_FRIENDS, SignupStatus
from app.schemas import activities
from app.schemas.awards import reading as awards
from app.schemas.base import ActivityId, In, Out, example
from app.schemas.notify import words

HEADINGS = {
    "position": Bilingual("候补位次", "Place in the waiting list"),
    "activity_status": Bilingual("活动状态", "State of the activity"),
    "location_name": Bilingual("地点", "Place"),
    "checked_in_at": Bilingual("签到时间", "Checked in at (Shanghai)"),
    "award_state": Bilingual("积分状态", "State of the points"),
    "session": Bilingual("场次", "Session"),
    "session_title": Bilingual("场次名称", "Title of the session"),
    "session_starts_at": Bilingual("场次开始", "Session begins (Shanghai)"),
    "session_ends_at": Bilingual("场次结束", "Session ends (Shanghai)"),
    "friends": Bilingual("同行人数", "Friends"),
    "offer_until": Bilingual("接受截止", "To be accepted until (Shanghai)"),
}
NOTICES = {
    "activity_waitlisted": words(
        ("转为候补", "Back in the waiting list"),
        "「{title}」（{starts_at:time}）名额减少，您的报名已转为候补。",
        "“{title}” ({starts_at:time}) has fewer places now: you are in its waiting list.",
    ),
    "signup_paused": words(
        ("暂停报名", "Sign-up paused"),
        "您已 {count:n} 次无故缺席，{until:time} 前暂停报名；申诉成立的不计。",
        "After {count:n no-show} you cannot sign up until {until:time}. One whose appeal is granted"
        " does not count.",
    ),
}
VALUES: dict[Any, Any] = {
    ActivityStatus: activities.VALUES[ActivityStatus],
    AwardState: awards.VALUES[AwardState],
    SignupStatus: {
        SignupStatus.confirmed: ("已确认", "confirmed"),
        SignupStatus.waitlisted: ("候补", "waitlisted"),
        SignupStatus.pending: ("待确认", "pending"),
        SignupStatus.offered: ("待接受名额", "offered a place"),
        SignupStatus.declined: ("未通过", "declined"),
        SignupStatus.cancelled: ("已取消", "cancelled"),
    },
}


class SignupIn(In, json_schema_extra=example({})):
    """By default for the activity as a whole, and alone."""

    session: Annotated[int, Field(ge=0, le=MOST, strict=True)] = Field(
        default=0, description="Number of the session; 0: the activity as a whole."
    )
    friends: Annotated[int, Field(ge=0, le=MOST_FRIENDS, strict=True)] = Field(
        default=0, description="How many friends come along, each in a place."
    )


class SignupOut(Out):
    """``position`` in the waiting list, from 1; null if not waiting."""

    id: UUID = Field(description="Id of the sign-up.")
    activity_id: ActivityId
    session: int = Field(description="Number of the session; 0: the activity as a whole.")
    friends: int = Field(description="How many friends come along.")
    offer_until: datetime | None = Field(
        description="Until when the place is to be accepted, in UTC; null: none is offered."
    )
    status: SignupStatus = Field(description="State of the sign-up.")
    position: int | None = Field(
        description="Place in the waiting list, from 1; null if not waiting."
    )
    created_at: datetime = Field(description="When the person signed up, in UTC.")


class MySignupOut(SignupOut):
    """A sign-up of the caller, with the activity and what the attendance brought.

    Signed up to a whole series: what its latest session attended brought.
    """

    title: str = Field(description="What the activity is called.")
    activity_status: ActivityStatus = Field(description="State of the activity.")
    starts_at: datetime = Field(description="When the activity begins, in UTC.")
    ends_at: datetime = Field(description="When the activity ends, in UTC.")
    session_title: str | None = Field(description="Title of the session; null: none.")
    session_starts_at: datetime | None = Field(
        description="When the session begins, in UTC; null: signed up to the whole activity."
    )
    session_ends_at: datetime | None = Field(
        description="When the session ends, in UTC; null: signed up to the whole activity."
    )
    location_name: str | None = Field(description="Where it is; null: nowhere in particular.")
    checked_in_at: datetime | None = Field(
        description="When the caller checked in, in UTC, of a series last; null if not."
    )
    award_state: AwardState | None = Field(description="Of the award; null before the check-in.")
    points: int | None = Field(description="What the award gives; null before the check-in.")
    minutes: int | None = Field(description="Minutes of service of the award.")
