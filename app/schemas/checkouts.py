"""API schemas of check-outs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.models.checkouts import Departure
from app.schemas.awards.reading import AwardOut
from app.schemas.base import ActivityId, Out, example
from app.schemas.checkins import BalancesOut, CheckinIn
from app.schemas.notify import words

NOTICES = {
    "checkout_forgotten": words(
        ("忘记签退", "No check-out"),
        "您在「{title}」没有签退，时长按规则计算；如有出入请联系组织者更正。",
        "You did not check out of “{title}”: its time counts as the points rules say. Ask the"
        " organizer for a correction if that is wrong.",
    )
}
VALUES: dict[Any, Any] = {
    Departure: {
        Departure.rotating_code: ("扫码签退", "by the code on the screen"),
        Departure.steward: ("工作人员签退", "by a steward"),
        Departure.device: ("打卡器签退", "by a device"),
        Departure.offline: ("离线签退", "without network"),
        Departure.forgotten: ("未签退", "none"),
        Departure.corrected: ("组织者更正", "by an organizer's correction"),
    }
}


class CheckoutIn(
    CheckinIn, json_schema_extra=example({"code": "q3mQ0b1YkX7sJd2uR5vTzA8wLfNcEhGi"})
):
    """``code``: of the screen that shows the codes of check-outs."""


class PresenceOut(Out):
    """A check-in that has ended."""

    id: UUID = Field(description="Id of the check-in.")
    activity_id: ActivityId
    session: int = Field(description="Number of the session, from 1; 0: the activity has none.")
    checked_in_at: datetime = Field(description="Since when the person was there, in UTC.")
    checked_out_at: datetime = Field(description="Until when, in UTC.")
    departure: Departure = Field(description="How the end was proven.")
    minutes: int = Field(
        description="Whole minutes between both, within the session; half hours are paid."
    )


class CheckoutResultOut(Out):
    """The presence, its award, and the balances afterwards."""

    checkin: PresenceOut = Field(description="The presence.")
    award: AwardOut | None = Field(description="What it gives; null: nothing.")
    points: BalancesOut = Field(description="The caller's balances afterwards.")
