"""Wire shapes of templates of activities."""

from typing import Annotated, Any, Self

from pydantic import Field

from app.models.activities import Category
from app.models.activity_templates import ActivityTemplate
from app.schemas.activities import LocationIn, LocationOut, location_columns, location_of
from app.schemas.base import Id, In, Moment, OneLine, RecordOut, Text


class ActivityTemplateEditIn(In):
    """What an activity from this template is like, but for when it starts."""

    name: Annotated[str, OneLine(80)] = Field(description="What the template is called.")
    title: Annotated[str, OneLine(80)]
    description: Annotated[Text, Field(max_length=5000)] = ""
    category: Category
    minutes: Annotated[int, Field(ge=1, le=1440, strict=True, description="How long it lasts.")]
    capacity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["volunteer_hour"])]
    location: LocationIn | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``activity_templates`` that it fills."""
        plain = self.model_dump(exclude={"location", "org_id"})
        return plain | location_columns(self.location)


class ActivityTemplateIn(ActivityTemplateEditIn):
    org_id: Id


class ActivityTemplateOut(RecordOut):
    """``version`` is what ``If-Match`` of an edit names."""

    name: str
    title: str
    description: str
    category: Category
    minutes: int
    capacity: int | None
    rule_key: str
    location: LocationOut | None
    version: int

    @classmethod
    def of(cls, template: ActivityTemplate) -> Self:
        row = template.model_dump()
        return cls.model_validate(row | {"location": location_of(row)})


class ActivityStartIn(In):
    """``org_id``: the organisation of the template, or one below it."""

    org_id: Id
    starts_at: Moment
