"""Wire shapes of templates of activities."""

from typing import Annotated, Any, Self

from pydantic import Field

from app.models.activities import Category
from app.models.activity_templates import ActivityTemplate
from app.schemas.activities import LocationIn, LocationOut, location_columns, location_of
from app.schemas.base import (
    STREET,
    Id,
    In,
    Moment,
    OneLine,
    OrgId,
    RecordOut,
    Text,
    Version,
    example,
)


class ActivityTemplateEditIn(
    In,
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
    minutes: Annotated[int, Field(ge=1, le=1440, strict=True, description="How long it lasts.")]
    capacity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = Field(
        default=None, description="Most people that can be confirmed; null: no limit."
    )
    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["volunteer_hour"])] = (
        Field(description="Key of the policy's rule by which attendance gives points.")
    )
    location: LocationIn | None = Field(
        default=None, description="Where its activities are; null: nowhere in particular."
    )

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``activity_templates`` that it fills."""
        plain = self.model_dump(exclude={"location", "org_id"})
        return plain | location_columns(self.location)


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
    minutes: int = Field(description="How long its activities last, in minutes.")
    capacity: int | None = Field(description="Most people that can be confirmed; null: no limit.")
    rule_key: str = Field(description="Key of the rule by which attendance gives points.")
    location: LocationOut | None = Field(
        description="Where its activities are; null: nowhere in particular."
    )
    version: Version

    @classmethod
    def of(cls, template: ActivityTemplate) -> Self:
        row = template.model_dump()
        return cls.model_validate(row | {"location": location_of(row)})


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
