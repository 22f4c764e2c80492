"""Wire shapes of activities."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.models.activities import Activity, ActivityStatus, Category
from app.schemas.base import Id, In, Moment, Number, OneLine, Out, Text


class LocationIn(In):
    """Where it is, in GCJ-02 degrees as WeChat's map picks it; ``radius_m`` in metres."""

    name: Annotated[str, OneLine(100)]
    latitude: Annotated[Number, Field(ge=-90, le=90)]
    longitude: Annotated[Number, Field(ge=-180, le=180)]
    radius_m: Annotated[int, Field(ge=10, le=100_000)] = 200


class LocationOut(Out):
    name: str
    latitude: float
    longitude: float
    radius_m: int


class ActivityIn(In):
    """Sign-up is open from publishing until the end unless times are given."""

    org_id: Id
    title: Annotated[str, OneLine(80)]
    description: Annotated[Text, Field(max_length=5000)] = ""
    category: Category
    starts_at: Moment
    ends_at: Moment
    signup_opens_at: Moment | None = None
    signup_closes_at: Moment | None = None
    capacity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["volunteer_hour"])]
    location: LocationIn | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise ValueError("starts_at must lie before ends_at")
        opens, closes = self.signup_opens_at, self.signup_closes_at
        if closes is not None and closes > self.ends_at:
            raise ValueError("signup_closes_at must not lie after ends_at")
        if opens is not None and opens >= (closes or self.ends_at):
            raise ValueError("signup_opens_at must lie before sign-up closes")
        return self


class ActivityOut(Out):
    id: UUID
    org_id: UUID
    title: str
    description: str
    category: Category
    status: ActivityStatus
    starts_at: datetime
    ends_at: datetime
    signup_opens_at: datetime
    signup_closes_at: datetime
    capacity: int | None
    rule_key: str
    location: LocationOut | None
    signups_confirmed: int
    signups_waitlisted: int
    checkins: int

    @classmethod
    def of(cls, activity: Activity) -> Self:
        return cls.of_columns(activity.model_dump())

    @classmethod
    def of_columns(cls, row: Mapping[str, Any]) -> Self:
        """Make it of a row of ``activities``."""
        location = None
        if row["location_name"] is not None:
            location = {
                "name": row["location_name"],
                "latitude": row["latitude"],
                "longitude": row["longitude"],
                "radius_m": row["radius_m"],
            }
        return cls.model_validate({**row, "location": location})


class CheckinCodeOut(Out):
    """``code`` changes every 15 s and is accepted until ``expires_at``, 45 s at most."""

    code: str
    expires_at: datetime
    refresh_after_seconds: float
    svg_url: str
