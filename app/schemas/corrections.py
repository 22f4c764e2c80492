"""API schemas of corrections of check-ins."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.awards.reading import AwardOut
from app.schemas.base import ActivityId, In, Moment, OneLine, Out, example
from app.schemas.notify import words

NOTICES = {
    "correction_made": words(
        ("签到更正", "Check-in corrected"),
        "您在「{title}」的签到记录已更正：{came_at:time} 至 {left_at:time}。原因：{reason}"
        "{overlaps:。同一时段您在其他活动的时长如有少计，请联系其组织者更正|}",
        "Your presence at “{title}” was corrected: {came_at:time} to {left_at:time}. Reason:"
        " {reason}{overlaps:. Time lost elsewhere: ask the organizer there|}",
    ),
    "correction_annulled": words(
        ("签到作废", "Check-in annulled"),
        "您在「{title}」的签到已作废，积分与时长已冲正。原因：{reason}"
        "{overlaps:。同一时段您在其他活动的时长如有少计，请联系其组织者更正|}",
        "Your check-in at “{title}” was annulled; its points and hours are reversed. Reason:"
        " {reason}{overlaps:. Time lost elsewhere: ask the organizer there|}",
    ),
}


class CorrectionIn(
    In,
    json_schema_extra=example(
        {"checked_out_at": "2026-11-20T11:00:00+08:00", "reason": "忘记签退，现场负责人确认"}
    ),
):
    """Without a time, the one that counts stays."""

    checked_in_at: Moment | None = Field(
        default=None, description="Since when the person was there; null: unchanged."
    )
    checked_out_at: Moment | None = Field(default=None, description="Until when; null: unchanged.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why; the person reads it.")


class AnnulmentIn(In, json_schema_extra=example({"reason": "代签，本人未到场"})):
    reason: Annotated[str, OneLine(200)] = Field(description="Why; the person reads it.")


class OverlapOut(Out):
    """Another check-in of the person, for a time that may count there now."""

    checkin_id: UUID = Field(description="Id of the check-in.")
    activity_id: ActivityId
    title: str = Field(description="What its activity is called.")


class CorrectionOut(Out):
    """A check-in as it counts now. Both times are null if it was annulled."""

    id: UUID = Field(description="Id of the check-in.")
    activity_id: ActivityId
    session: int = Field(description="Number of the session, from 1; 0: the activity has none.")
    person_id: UUID = Field(description="Id of the person.")
    number: int = Field(description="Number of the correction, from 1.")
    checked_in_at: datetime | None = Field(description="Since when the person was there, in UTC.")
    checked_out_at: datetime | None = Field(description="Until when, in UTC.")
    checked_in_before: datetime | None = Field(description="What counted until now, in UTC.")
    checked_out_before: datetime | None = Field(description="What counted until now, in UTC.")
    reason: str = Field(description="Why.")
    award: AwardOut | None = Field(description="What it gives now; null: nothing.")
    overlapping: list[OverlapOut] = Field(
        description="Other paid check-ins of the person during this session, 5 at most. No moment"
        " counts twice: a correction of them, with no times, counts what is free now."
    )
