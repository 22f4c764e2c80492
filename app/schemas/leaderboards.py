"""API schemas of leaderboards."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.models.orgs import Level
from app.schemas.base import OrgId, Out

BoardPeriod = Literal["week", "month", "year", "all"]
Measure = Literal["points", "minutes"]


Place = Annotated[int, Field(description="Place, from 1.")]


class RankOut(Out):
    """A place. The name is masked unless the person opted in."""

    rank: Place
    display_name: str = Field(description="The name; masked unless the person shows it.")
    points: int = Field(description="Points earned in the period.")


class NeighbourOut(RankOut):
    """A place near the caller's, or the caller's own."""

    is_me: bool = Field(description="Whether it is the caller.")


class MyRankOut(Out):
    rank: int = Field(description="The caller's place, from 1.")
    points: int = Field(description="Points that the caller earned in the period.")


class LeaderboardOut(Out):
    """Points earned from ``starts_at`` on, in the organisation and its subtree."""

    period: BoardPeriod = Field(description="Which period is counted.")
    starts_at: datetime = Field(description="When the period began, in UTC.")
    items: list[RankOut] = Field(description="The first places.")
    around: list[NeighbourOut] | None = Field(
        description="With `around=me`: two places above the caller, the caller's, two below."
        " Null without it, or if the caller is not on the board."
    )
    me: MyRankOut | None = Field(
        description="The caller's place; null without a login, or without points."
    )


class HoursRankOut(Out):
    """A place. The name is masked unless the person opted in."""

    rank: Place
    display_name: str = Field(description="The name; masked unless the person shows it.")
    minutes: int = Field(description="Minutes of service in the period.")


class HoursNeighbourOut(HoursRankOut):
    """A place near the caller's, or the caller's own."""

    is_me: bool = Field(description="Whether it is the caller.")


class MyHoursRankOut(Out):
    rank: int = Field(description="The caller's place, from 1.")
    minutes: int = Field(description="Minutes of service of the caller in the period.")


class HoursLeaderboardOut(Out):
    """Minutes of service from ``starts_at`` on, in the organisation and its subtree."""

    period: BoardPeriod = Field(description="Which period is counted.")
    starts_at: datetime = Field(description="When the period began, in UTC.")
    items: list[HoursRankOut] = Field(description="The first places.")
    around: list[HoursNeighbourOut] | None = Field(
        description="With `around=me`: two places above the caller, the caller's, two below."
        " Null without it, or if the caller is not on the board."
    )
    me: MyHoursRankOut | None = Field(
        description="The caller's place; null without a login, or without minutes."
    )


class OrgRankOut(Out):
    """A place of an organisation, by what all its people earned together."""

    rank: Place
    org_id: OrgId
    name: str = Field(description="Name of the organisation.")
    total: int = Field(description="Points or minutes of everybody in its subtree together.")
    people: int = Field(description="How many people earned them.")
    per_person: int = Field(description="`total` for each of these people, rounded.")


class OrgLeaderboardOut(Out):
    """The organisations of a level below another, from ``starts_at`` on."""

    period: BoardPeriod = Field(description="Which period is counted.")
    starts_at: datetime = Field(description="When the period began, in UTC.")
    level: Level = Field(description="Level of the organisations compared.")
    measure: Measure = Field(description="What is summed up: points or minutes of service.")
    items: list[OrgRankOut] = Field(description="The first places.")
