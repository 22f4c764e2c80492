"""Wire shapes of templates of activities."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from app.core.validation_messages import wrong
from app.models.activities import Category, SignupFor
from app.models.activity_templates import ActivityTemplate
from app.schemas import browsing
from app.schemas.activities import LocationIn, LocationOut, Terms, location_columns, location_of
from app.schemas.base import (
    STREET,
    Id,
    In,
    Moment,
    OneLine,
    OrgId,
    Out,
    RecordOut,
    Text,
    Version,
    example,
)
from app.schemas.sessions import Capacity

# Two years, as far ahead as activities may be, in minutes.
VALUES = browsing.VALUES
MOST_AHEAD = 731 * 24 * 60


class TemplateSessionIn(In):
    """A session of the activities from a template."""

    title: Annotated[str, OneLine(80)] | None = Field(
        default=None, description="What the session is called; null: as the activity."
    )
    after_minutes: Annotated[int, Field(ge=0, le=MOST_AHEAD, strict=True)] = Field(
        description="Minutes from the start of the activity to its own; of the first: 0."
    )
    minutes: Annotated[int, Field(ge=1, le=1440, strict=True, description="How long it lasts.")]
    capacity: Capacity | None = Field(
        default=None, description="Most people that can be confirmed for it; null: no limit."
    )


class TemplateSessionOut(Out):
    """A session of the activities from a template."""

    title: str | None = Field(description="What it is called; null: as the activity.")
    after_minutes: int = Field(description="Minutes from the start of the activity to its own.")
    minutes: int = Field(description="How long it lasts, in minutes.")
    capacity: int | None = Field(description="Most people that can be confirmed; null: no limit.")


class ActivityTemplateEditIn(
    Terms,
    json_schema_extra=example(
        {
            "name": "江堤清洁（每次两小时）",
            "title": "江堤清洁志愿服务",
            "description": "带上手套，在三茅青年之家集合。",
            "category": "volunteer_service",
            "minutes": 120,
            "capacity": 24,
            "rule_key": "volunteer_hour",
            "location": {
                "name": "三茅青年之家",
                "latitude": 32.2368,
                "longitude": 119.8267,
                "radius_m": 200,
            },
        }
    ),
):
    """What an activity from this template is like, but for when it starts."""

    name: Annotated[str, OneLine(80)] = Field(description="What the template is called.")
    title: Annotated[str, OneLine(80)] = Field(description="Title of its activities.")
    description: Annotated[Text, Field(max_length=5000)] = Field(
        default="", description="What happens there; plain text, lines allowed."
    )
    category: Category = Field(description="Kind of its activities.")
    minutes: Annotated[
        int,
        Field(ge=1, le=1440, strict=True, description="How long it lasts, without sessions."),
    ]
    capacity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = Field(
        default=None, description="Most people that can be confirmed; null: no limit."
    )
    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["volunteer_hour"])] = (
        Field(description="Key of the policy's rule by which attendance gives points.")
    )
    location: LocationIn | None = Field(
        default=None, description="Where its activities are; null: nowhere in particular."
    )

    sessions: Annotated[list[TemplateSessionIn], Field(max_length=100)] = Field(
        default_factory=list, description="Its sessions, from the first on; none: it is its own."
    )

    @model_validator(mode="after")
    def _begins_with_a_session(self) -> Self:
        if self.sessions and min(one.after_minutes for one in self.sessions) > 0:
            raise wrong("首个场次应与活动同时开始", "the first session starts with the activity")
        return self

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``activity_templates`` that it fills."""
        plain = self.model_dump(exclude={"location", "org_id"})
        return plain | self.terms() | location_columns(self.location)


class ActivityTemplateIn(
    ActivityTemplateEditIn,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "name": "江堤清洁（每次两小时）",
            "title": "江堤清洁志愿服务",
            "description": "带上手套，在三茅青年之家集合。",
            "category": "volunteer_service",
            "minutes": 120,
            "capacity": 24,
            "rule_key": "volunteer_hour",
            "location": {
                "name": "三茅青年之家",
                "latitude": 32.2368,
                "longitude": 119.8267,
                "radius_m": 200,
            },
        }
    ),
):
    org_id: OrgId


class ActivityTemplateOut(RecordOut):
    """``version`` is what ``If-Match`` of an edit names."""

    name: str = Field(description="What the template is called.")
    title: str = Field(description="Title of its activities.")
    description: str = Field(description="What happens there; plain text.")
    category: Category = Field(description="Kind of its activities.")
    minutes: int = Field(description="How long its activities last, in minutes, without sessions.")
    capacity: int | None = Field(description="Most people that can be confirmed; null: no limit.")
    rule_key: str = Field(description="Key of the rule by which attendance gives points.")
    location: LocationOut | None = Field(
        description="Where its activities are; null: nowhere in particular."
    )
    signup_for: SignupFor = Field(description="What people sign up for.")
    checks_out: bool = Field(description="Whether people check out too.")
    tags: list[str] = Field(description="Words by which its activities are found.")
    minimum_attendance: int | None = Field(
        description="Sessions to attend to complete the series; null: no such number."
    )
    sessions: list[TemplateSessionOut] = Field(description="Its sessions.")
    version: Version

    @classmethod
    def of(cls, template: ActivityTemplate) -> Self:
        row = template.model_dump()
        tags = row["tags"].splitlines()
        return cls.model_validate(row | {"location": location_of(row), "tags": tags})


class ActivityStartIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "starts_at": "2028-05-04T09:00:00+08:00",
        }
    ),
):
    """``org_id``: the organisation of the template, or one below it."""

    org_id: Id = Field(description="Id of the template's organisation, or of one below it.")
    starts_at: Moment = Field(description="When the activity begins, with its offset from UTC.")
