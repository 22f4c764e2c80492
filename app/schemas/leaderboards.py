"""API schemas of leaderboards."""

from datetime import datetime
from typing import Literal

from app.schemas.base import Out

BoardPeriod = Literal["week", "month", "year", "all"]


class RankOut(Out):
    """A place. The name is masked unless the person opted in."""

    rank: int
    display_name: str
    points: int


class MyRankOut(Out):
    rank: int
    points: int


class LeaderboardOut(Out):
    """Points earned from ``starts_at`` on, in the organisation and its subtree."""

    period: BoardPeriod
    starts_at: datetime
    items: list[RankOut]
    me: MyRankOut | None
