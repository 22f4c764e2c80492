"""Wire shapes of profiles: what people tell of themselves."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from app.core.clock import local_date, now
from app.core.validation_messages import wrong
from app.models.activities import Category
from app.models.people import PersonLanguage
from app.schemas.base import Day, Flag, Id, In, OneLine, Out, example
from app.schemas.roles import RoleOut


def _in_the_past(day: date) -> date:
    if not date(1900, 1, 1) <= day <= local_date(now()):
        raise wrong("出生日期应早于今天", "a birth date lies in the past")
    return day


def _born(year: int) -> int:
    if year > local_date(now()).year:
        raise wrong("出生年份不能晚于今年", "a birth year is not in the future")
    return year


class MeOut(Out):
    """The caller. ``shows_name``: leaderboards may show the whole name."""

    id: UUID = Field(description="Id of the caller.")
    display_name: str = Field(
        description="Name that others see, masked where they do not know the caller."
    )
    birth_date: date | None = Field(description="Birth date; null: unknown.")
    birth_year: int | None = Field(description="Of the birth date, if the whole date is known.")
    community_id: UUID | None = Field(description="The community where the caller lives.")
    interests: list[Category] = Field(description="Kinds of activities that interest the caller.")
    language: PersonLanguage | None = Field(description="In which the caller is written to.")
    avatar_url: str | None = Field(
        description="Path of the picture; uploaded as an attachment of the subject `person`."
    )
    shows_name: bool = Field(description="True: leaderboards show the whole name.")
    name_confirmed_at: datetime | None = Field(
        description="When an organizer confirmed that the name is the real one."
    )
    honour_year: int | None = Field(
        description="The running year, if the caller has its honour mark (爱心标识); null: not yet."
    )
    roles: list[RoleOut] = Field(description="The caller's roles.")
    created_at: datetime = Field(description="When the caller first logged in, in UTC.")


class MeIn(
    In,
    json_schema_extra=example(
        {
            "display_name": "张爱丽",
            "birth_date": "2001-05-04",
            "community_id": "01900000-0000-7000-8000-321182001001",
            "interests": ["volunteer_service", "culture"],
            "language": "zh-CN",
            "shows_name": False,
        }
    ),
):
    """Replaces all values: optional fields that are left out are cleared."""

    display_name: Annotated[str, OneLine(40)] = Field(description="Name that others see.")
    birth_date: Annotated[Day, AfterValidator(_in_the_past)] | None = Field(
        default=None, description="Birth date; null: unknown."
    )
    birth_year: (
        Annotated[int, Field(ge=1900, le=2100, strict=True), AfterValidator(_born)] | None
    ) = Field(default=None, description="Instead of the date; counts as the year's last day.")
    community_id: Id | None = Field(default=None, description="A community.")
    interests: list[Category] = Field(
        default=[], max_length=10, description="Kinds of activities, each once."
    )
    language: PersonLanguage | None = Field(default=None, description="To be written to in.")
    shows_name: Flag = Field(default=False, description="True: leaderboards show the whole name.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.birth_date and self.birth_year not in (None, self.birth_date.year):
            raise wrong("出生年份与出生日期不一致", "birth year and birth date differ")
        if len(set(self.interests)) < len(self.interests):
            raise wrong("兴趣重复", "an interest is there twice")
        return self
