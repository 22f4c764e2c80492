"""Wire shapes of sessions, and the words of their notices."""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.validation_messages import wrong
from app.models.activities import MAX_LENGTH
from app.schemas.base import ActivityId, Id, In, Moment, OneLine, Out, Version, example
from app.schemas.notify import words

NOTICES = {
    "session_changed": words(
        ("场次变更", "Session changed"),
        "您报名的「{title}」第 {number:n} 场改为 {starts_at:time} 至 {ends_at:time}。",
        "Session {number:n} of “{title}”, which you signed up to, is now from {starts_at:time} to"
        " {ends_at:time}.",
    ),
    "session_removed": words(
        ("场次取消", "Session removed"),
        "您报名的「{title}」第 {number:n} 场（{starts_at:time}）取消。",
        "Session {number:n} of “{title}” ({starts_at:time}), which you signed up to, is dropped.",
    ),
}
Capacity = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
FIRST_EVENING = {
    "title": "第一课：书法入门",
    "starts_at": "2028-05-04T19:00:00+08:00",
    "ends_at": "2028-05-04T21:00:00+08:00",
}


class SessionEditIn(In, json_schema_extra=example({**FIRST_EVENING, "capacity": 40})):
    """The whole session but for its number and post: what is left out is cleared."""

    title: Annotated[str, OneLine(80)] | None = Field(
        default=None, description="What the session is called; null: as the activity."
    )
    starts_at: Moment = Field(description="When it begins, with its offset from UTC.")
    ends_at: Moment = Field(description="When it ends, 24 hours later at most.")
    capacity: Capacity | None = Field(
        default=None,
        description="Most people that can be confirmed for it; of a shift, how many are needed."
        " Null: no limit of its own.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta(0) < self.ends_at - self.starts_at <= MAX_LENGTH:
            raise wrong(
                "场次的结束时间应晚于开始时间，最长 24 小时",
                "a session ends after it starts, within 24 hours",
            )
        return self


class SessionIn(SessionEditIn, json_schema_extra=example(FIRST_EVENING)):
    """With a post it is a shift, and says how many it needs."""

    post_id: Id | None = Field(default=None, description="Id of the post of a shift; null: none.")

    @model_validator(mode="after")
    def _needs_people(self) -> Self:
        if self.post_id is not None and self.capacity is None:
            raise wrong("班次须填写所需人数", "a shift says how many it needs")
        return self


class SessionsIn(In, json_schema_extra=example({"sessions": [FIRST_EVENING]})):
    sessions: Annotated[list[SessionIn], Field(min_length=1, max_length=100)] = Field(
        description="The new sessions, 100 at most; they are numbered by start."
    )


class SessionOut(Out):
    """A session. ``version`` is the activity's: each edit of a session is an edit of it."""

    id: UUID = Field(description="Id of the session; of a shift, what its paths name.")
    activity_id: ActivityId
    number: int = Field(description="Its number in the activity, from 1; never reused.")
    post_id: UUID | None = Field(description="Id of the post of a shift; null: of none.")
    title: str | None = Field(description="What it is called; null: as the activity.")
    starts_at: datetime = Field(description="When it begins, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")
    capacity: int | None = Field(
        description="Most people that can be confirmed for it, of a shift how many are needed."
    )
    signups_confirmed: int = Field(
        description="People with a place at it, where people sign up for single sessions."
    )
    signups_waitlisted: int = Field(description="People on its waiting list.")
    checkins: int = Field(description="Check-ins so far.")
    checkouts: int = Field(description="Check-outs so far.")
    version: Version


class OwnSeriesOut(Out):
    """How far the caller is with the sessions of an activity."""

    activity_id: ActivityId
    sessions: int = Field(description="How many sessions it has.")
    attended: int = Field(description="At how many of them the caller checked in.")
    needed: int | None = Field(description="How many complete the series; null: no such number.")
    is_reached: bool = Field(description="Whether the caller attended as many as needed.")
