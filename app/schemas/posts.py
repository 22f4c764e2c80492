"""Wire shapes of posts, their shifts and rotas."""

from datetime import date, datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import PersonName
from app.core.validation_messages import wrong
from app.models.posts import MOST
from app.schemas.base import (
    ActivityId,
    CreatedAt,
    Day,
    Id,
    In,
    OneLine,
    Out,
    Text,
    Version,
    example,
)
from app.schemas.sessions import Capacity

# A time of day in Asia/Shanghai, such as 08:30.
Clock = Annotated[str, Field(max_length=5, pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
GATE = {"name": "入口引导", "description": "引导居民排队", "skills": ["普通话"]}
# Most days between the first and the last of a rota: as far ahead as activities may be.
MOST_DAYS = 731


class PostIn(In, json_schema_extra=example(GATE)):
    """What volunteers do at a post. What is left out of an edit is cleared."""

    name: Annotated[str, OneLine(40)] = Field(description="Its name, once in an activity.")
    description: Annotated[Text, Field(max_length=500)] = Field(
        default="", description="What is done there; plain text."
    )
    skills: Annotated[list[Annotated[str, OneLine(20)]], Field(max_length=10)] = Field(
        default_factory=list,
        description="What somebody should be able to do, in free words for people to read;"
        " nobody is refused for lacking them.",
    )


class PostOut(Out):
    """A post. ``version`` is the activity's: each edit of a post is an edit of it."""

    id: UUID = Field(description="Id of the post.")
    activity_id: ActivityId
    name: str = Field(description="Its name.")
    description: str = Field(description="What is done there; plain text.")
    skills: list[str] = Field(description="What somebody should be able to do; it decides nothing.")
    created_at: CreatedAt
    version: Version


class RotaPostIn(In):
    """A post of a rota."""

    post_id: Id = Field(description="Id of the post.")
    needed: Capacity = Field(description="How many people each shift of it needs.")


class RotaIn(
    In,
    json_schema_extra=example(
        {
            "weekdays": [6, 7],
            "since": "2028-05-04",
            "until": "2028-05-31",
            "starts_at": "08:30",
            "ends_at": "11:30",
            "posts": [{"post_id": "01900000-0000-7000-8000-000000000001", "needed": 2}],
        }
    ),
):
    """A shift of each post on each of these weekdays. Days and times in Asia/Shanghai."""

    weekdays: Annotated[
        list[Annotated[int, Field(ge=1, le=7, strict=True)]], Field(min_length=1, max_length=7)
    ] = Field(description="1: Monday to 7: Sunday.")
    since: Day = Field(description="The first day.")
    until: Day = Field(description="The last day, included.")
    starts_at: Clock = Field(description="When the shifts start: 08:30.")
    ends_at: Clock = Field(description="When they end; not later than the start: on the next day.")
    posts: Annotated[list[RotaPostIn], Field(min_length=1, max_length=MOST)] = Field(
        description="The posts, each once, and how many people each needs."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta(0) <= self.until - self.since <= timedelta(days=MOST_DAYS):
            raise wrong(
                "结束日期应不早于开始日期，最长两年", "until is since or later, within two years"
            )
        if not 2000 <= self.since.year <= self.until.year < 2100:
            raise wrong("日期应在 2000 年至 2100 年之间", "a day must lie between 2000 and 2100")
        if len({one.post_id for one in self.posts}) < len(self.posts):
            raise wrong("岗位不能重复", "each post stands once")
        return self

    def days(self) -> list[date]:
        """Return the days with shifts."""
        all_days = (
            self.since + timedelta(days=n) for n in range((self.until - self.since).days + 1)
        )
        return [day for day in all_days if day.isoweekday() in self.weekdays]


class ShiftsCreatedOut(Out):
    """The shifts that a rota made; numbers are given in the order of the starts."""

    activity_id: ActivityId
    created: int = Field(description="How many shifts were made.")
    first_number: int = Field(description="Number of the first of them.")
    last_number: int = Field(description="Number of the last of them.")


class ShiftHolderOut(Out):
    """Who has a place at a shift."""

    signup_id: UUID = Field(description="Id of the sign-up, by which a swap asks for the place.")
    person_id: UUID | None = Field(
        description="Id of the person; null for who does not organize the activity."
    )
    display_name: PersonName = Field(
        description="Name of the person; masked for who does not organize the activity."
    )


class RotaShiftOut(Out):
    """A shift in the rota."""

    id: UUID = Field(description="Id of the shift.")
    number: int = Field(description="Its number as a session of the activity.")
    post_id: UUID = Field(description="Id of its post.")
    post_name: str = Field(description="Name of its post.")
    starts_at: datetime = Field(description="When it starts, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")
    needed: int = Field(description="How many people it needs.")
    confirmed: int = Field(description="How many have a place.")
    holders: list[ShiftHolderOut] | None = Field(
        description="Who they are; null for who neither organizes nor audits the activity, nor has"
        " a shift of it."
    )


class RotaDayOut(Out):
    """The shifts that start on a day."""

    day: date = Field(description="The day in Asia/Shanghai.")
    needed: int = Field(description="How many people its shifts need together.")
    confirmed: int = Field(description="How many places are taken.")
    shifts: list[RotaShiftOut] = Field(description="By start, then by name of the post.")


class RotaOut(Out):
    """The rota of some days; days without shifts are left out."""

    activity_id: ActivityId
    days: list[RotaDayOut] = Field(description="By day.")
