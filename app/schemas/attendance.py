"""Wire shapes of attendance: who signed up to an activity, and who came."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.awards import AwardState
from app.models.checkins import CheckinMethod
from app.models.checkouts import Departure
from app.models.signups import SignupStatus
from app.schemas import checkouts, signups
from app.schemas.awards import reading
from app.schemas.base import In, OneLine, Out, PersonId, example
from app.schemas.notify import words

HEADINGS = {
    **signups.HEADINGS,
    "card_no": Bilingual("青享卡号", "Card number"),
    "cancelled_at": Bilingual("取消时间", "Cancelled at (Shanghai)"),
    "checked_in_at": Bilingual("签到时间", "Checked in at (Shanghai)"),
    "session": Bilingual("场次", "Session"),
    "checked_out_at": Bilingual("签退时间", "Checked out at (Shanghai)"),
    "departure": Bilingual("签退方式", "Check-out"),
    "is_walk_in": Bilingual("现场参加", "Walked in"),
    "friend_names": Bilingual("同行人", "Friends' names"),
    "is_annulled": Bilingual("已作废", "Annulled"),
    "correction": Bilingual("更正原因", "Reason of the correction"),
    "method": Bilingual("签到方式", "Method"),
    "distance_m": Bilingual("距离（米）", "Distance (m)"),
    "state": Bilingual("积分状态", "State of the award"),
}
FRIEND_NAMES = "Names of the friends who came along; masked for auditors; null: none were named."
VALUES = {
    SignupStatus: signups.VALUES[SignupStatus],
    AwardState: reading.VALUES[AwardState],
    CheckinMethod: {
        CheckinMethod.rotating_code: ("动态签到码", "rotating code"),
        CheckinMethod.poster: ("张贴签到码", "poster code"),
        CheckinMethod.steward: ("工作人员扫码", "steward's scan"),
        CheckinMethod.leader: ("领队名单", "leader's list"),
        CheckinMethod.device: ("打卡器", "device"),
        CheckinMethod.offline: ("离线签到", "without network"),
    },
    Departure: checkouts.VALUES[Departure],
}
NOTICES = {
    "attendance_removed": words(
        ("报名被取消", "Sign-up removed"),
        "主办方取消了您在「{title}」（{starts_at:time}）的报名：{reason}",
        "The organizer removed your sign-up to “{title}” ({starts_at:time}): {reason}",
    )
}


class ParticipantOut(Out):
    """A sign-up and its person. The card number is masked; for auditors the name is, too.

    ``position`` in the waiting list, from 1; null if not waiting. ``checked_in_at``: the first
    check-in; null: none.
    """

    id: UUID = Field(description="Id of the sign-up.")
    person_id: PersonId
    display_name: PersonName = Field(description="The person's name; masked for auditors.")
    card_no: str = Field(description="Number of the person's card, masked.")
    session: int = Field(description="Number of the session; 0: the activity as a whole.")
    friends: int = Field(description="How many friends come along.")
    friend_names: str | None = Field(description=FRIEND_NAMES)
    status: SignupStatus = Field(description="State of the sign-up.")
    offer_until: datetime | None = Field(
        description="Until when the place is to be accepted; null: none is offered."
    )
    position: int | None = Field(
        description="Place in the waiting list, from 1; null if not waiting."
    )
    created_at: datetime = Field(description="When the person signed up, in UTC.")
    cancelled_at: datetime | None = Field(
        description="When the sign-up was cancelled; null if it was not."
    )
    checked_in_at: datetime | None = Field(
        description="When the person first checked in; null if not."
    )


class AttendeeOut(Out):
    """A check-in and its person. The card number is masked; for auditors the name is, too.

    ``distance_m``: metres from the activity's location; null if either position is unknown.
    ``points``, ``minutes`` and ``state`` are those of the award that holds; without one ``state``
    is null: the person is still there, forgot to check out, or the check-in was annulled.
    """

    id: UUID = Field(description="Id of the check-in.")
    person_id: PersonId
    display_name: PersonName = Field(description="The person's name; masked for auditors.")
    card_no: str = Field(description="Number of the person's card, masked.")
    checked_in_at: datetime = Field(description="When the person checked in, in UTC.")
    checked_out_at: datetime | None = Field(
        description="Until when the person was there, in UTC; null: not known."
    )
    departure: Departure | None = Field(description="How the person checked out; null: not.")
    is_walk_in: bool = Field(description="Whether the person came without a place.")
    friend_names: str | None = Field(description=FRIEND_NAMES)
    is_annulled: bool = Field(description="Whether an organizer annulled the check-in.")
    correction: str | None = Field(description="Reason of the latest correction; null: none.")
    session: int = Field(description="Which session, from 1; 0: the activity has none.")
    method: CheckinMethod = Field(description="How the person checked in.")
    distance_m: int | None = Field(
        description="Metres from the activity's location; null if either is unknown."
    )
    award_id: UUID | None = Field(description="Id of the award that holds; null: none.")
    points: int = Field(description="Points of the award.")
    minutes: int = Field(description="Minutes of volunteer service of the award.")
    state: AwardState | None = Field(description="State of the award; null: there is none.")


class ParticipantRemovalIn(In, json_schema_extra=example({"reason": "本人来电说来不了"})):
    """``reason``: shown to the person, and stands in the audit trail."""

    reason: Annotated[str, OneLine(200)] = Field(
        description="Why. The person reads it; it stands in the audit trail."
    )
