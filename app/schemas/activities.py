"""API schemas of activities."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.validation_messages import wrong
from app.models.activities import Activity, ActivityStatus, Category
from app.models.activity_templates import ActivityTemplate
from app.schemas.attachments import PATH as ATTACHMENTS
from app.schemas.base import Id, In, Moment, Number, OneLine, Out, Text

VALUES = {
    ActivityStatus: {
        ActivityStatus.draft: ("草稿", "draft"),
        ActivityStatus.published: ("已发布", "published"),
        ActivityStatus.cancelled: ("已取消", "cancelled"),
        ActivityStatus.closed: ("已结束", "closed"),
    }
}


class LocationIn(In):
    """A location in GCJ-02 degrees, as WeChat's map picker returns it; ``radius_m`` in metres."""

    name: Annotated[str, OneLine(100)]
    latitude: Annotated[Number, Field(ge=-90, le=90)]
    longitude: Annotated[Number, Field(ge=-180, le=180)]
    radius_m: Annotated[int, Field(ge=10, le=100_000)] = 200


class LocationOut(Out):
    name: str
    latitude: float
    longitude: float
    radius_m: int


def location_columns(place: LocationIn | None) -> dict[str, Any]:
    """Return the columns of a table that hold a location."""
    return {
        "location_name": place.name if place else None,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "radius_m": place.radius_m if place else None,
    }


def location_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields of the location that columns of a row hold, None without one."""
    if row["location_name"] is None:
        return None
    names = ("latitude", "longitude", "radius_m")
    return {"name": row["location_name"]} | {name: row[name] for name in names}


class CoverOut(Out):
    """The picture of an activity that lists show: one of its attachments."""

    id: UUID
    url: str = Field(description="Path of the picture.")
    thumbnail_url: str = Field(description="Path of a smaller one, 480 pixels at most.")


class ActivityContent(In):
    """What an activity offers, when and where."""

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
            raise wrong("开始时间应早于结束时间", "starts_at must lie before ends_at")
        opens, closes = self.signup_opens_at, self.signup_closes_at
        if closes is not None and closes > self.ends_at:
            raise wrong(
                "报名截止时间不能晚于活动结束时间", "signup_closes_at must not lie after ends_at"
            )
        if opens is not None and opens >= (closes or self.ends_at):
            raise wrong(
                "报名开始时间应早于报名截止时间", "signup_opens_at must lie before sign-up closes"
            )
        return self


class ActivityIn(ActivityContent):
    """By default sign-up is open from publication until the end of the activity."""

    org_id: Id


def content_of(row: Activity | ActivityTemplate, **others: Any) -> ActivityIn:
    """Return the content of a row for another activity. What is stored is not validated again."""
    columns = row.model_dump()
    same = {name: columns[name] for name in ("title", "description", "capacity", "rule_key")}
    place = location_of(columns)
    return ActivityIn.model_construct(
        category=Category(row.category),
        location=LocationIn.model_construct(**place) if place else None,
        **same,
        **others,
    )


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
    cover: CoverOut | None
    cancel_reason: str | None = Field(description="Why it was cancelled; null if it was not.")
    version: int = Field(description="Counts edits: what `If-Match` of an edit names.")

    @classmethod
    def of(cls, activity: Activity) -> Self:
        return cls.of_columns(activity.model_dump())

    @classmethod
    def of_columns(cls, row: Mapping[str, Any]) -> Self:
        """Build from a row of ``activities``."""
        cover = row["cover_id"] and {
            "id": row["cover_id"],
            "url": f"{ATTACHMENTS}/{row['cover_id']}/file",
            "thumbnail_url": f"{ATTACHMENTS}/{row['cover_id']}/thumbnail",
        }
        return cls.model_validate({**row, "location": location_of(row), "cover": cover})


class CheckinCodeOut(Out):
    """``code`` changes every 15 s and is accepted until ``expires_at``, 45 s at most."""

    code: str
    expires_at: datetime
    refresh_after_seconds: float
    svg_url: str
