"""Wire shapes of attendance: who signed up to an activity, and who came."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from app.core.language import Bilingual
from app.models.awards import AwardState
from app.models.checkins import CheckinMethod
from app.models.signups import SignupStatus
from app.schemas import signups
from app.schemas.awards import reading
from app.schemas.base import In, OneLine, Out
from app.schemas.notify import words

HEADINGS = {
    **signups.HEADINGS,
    "card_no": Bilingual("青享卡号", "Card number"),
    "cancelled_at": Bilingual("取消时间", "Cancelled at (Shanghai)"),
    "checked_in_at": Bilingual("签到时间", "Checked in at (Shanghai)"),
    "session": Bilingual("场次", "Session"),
    "method": Bilingual("签到方式", "Method"),
    "distance_m": Bilingual("距离（米）", "Distance (m)"),
    "state": Bilingual("积分状态", "State of the award"),
}
VALUES = {
    SignupStatus: signups.VALUES[SignupStatus],
    AwardState: reading.VALUES[AwardState],
    CheckinMethod: {CheckinMethod.rotating_code: ("动态签到码", "rotating code")},
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

    id: UUID
    person_id: UUID
    display_name: str
    card_no: str
    status: SignupStatus
    position: int | None
    created_at: datetime
    cancelled_at: datetime | None
    checked_in_at: datetime | None


class AttendeeOut(Out):
    """A check-in and its person. The card number is masked; for auditors the name is, too.

    ``distance_m``: metres from the activity's location; null if either position is unknown.
    ``points``, ``minutes`` and ``state`` are those of the award by the check-in. ``session``
    counts from 0.
    """

    id: UUID
    person_id: UUID
    display_name: str
    card_no: str
    checked_in_at: datetime
    session: int
    method: CheckinMethod
    distance_m: int | None
    award_id: UUID
    points: int
    minutes: int
    state: AwardState


class ParticipantRemovalIn(In):
    """``reason``: shown to the person, and stands in the audit trail."""

    reason: Annotated[str, OneLine(200)]
