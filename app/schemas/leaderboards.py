"""API schemas of leaderboards."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.schemas.base import Out

BoardPeriod = Literal["week", "month", "year", "all"]


class RankOut(Out):
    """A place. The name is masked unless the person opted in."""

    rank: int = Field(description="Place, from 1.")
    display_name: str = Field(description="The name; masked unless the person shows it.")
    points: int = Field(description="Points earned in the period.")


class MyRankOut(Out):
    rank: int = Field(description="The caller's place, from 1.")
    points: int = Field(description="Points that the caller earned in the period.")


class LeaderboardOut(Out):
    """Points earned from ``starts_at`` on, in the organisation and its subtree."""

    period: BoardPeriod = Field(description="Which period is counted.")
    starts_at: datetime = Field(description="When the period began, in UTC.")
    items: list[RankOut] = Field(description="The first places.")
    me: MyRankOut | None = Field(
        description="The caller's place; null without a login, or without points."
    )
