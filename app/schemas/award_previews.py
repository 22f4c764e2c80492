"""Wire shapes of previews: what the caps would leave of an award."""

from typing import Literal

from app.core.language import Worded
from app.schemas.awards.reading import Reason
from app.schemas.base import Out


class RoomOut(Out):
    """A cap of the rule, or of all rules together, in points; ``left`` of ``limit`` is free.

    Periods are those of Asia/Shanghai. ``used`` counts no award that waits for reviewers.
    """

    scope: Literal["rule", "all_rules"]
    period: Literal["day", "month", "year"]
    limit: int
    used: int
    left: int


class AwardPreviewOut(Out):
    """``points``: before caps; ``points_if_approved_now``: what the caps leave, and ``reason``.

    ``reviewers``: how many people have to approve it by hand.
    """

    rule_key: str
    rule_name: Worded
    points: int
    points_if_approved_now: int
    minutes: int
    reason: Reason
    reviewers: int
    caps: list[RoomOut]
