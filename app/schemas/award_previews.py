"""Wire shapes of previews: what the caps would leave of an award."""

from typing import Literal

from pydantic import Field

from app.core.language import Worded
from app.schemas.awards.reading import Reason
from app.schemas.base import Out


class RoomOut(Out):
    """A cap of the rule, or of all rules together, in points; ``left`` of ``limit`` is free.

    Periods are those of Asia/Shanghai. ``used`` counts no award that waits for reviewers.
    """

    scope: Literal["rule", "all_rules", "emergency"] = Field(
        description="`rule`: a cap of this rule; `all_rules`: of all rules together; `emergency`:"
        " of all rules together, with the points of emergencies."
    )
    period: Literal["day", "month", "year"] = Field(
        description="The period of Asia/Shanghai for which the cap is."
    )
    limit: int = Field(description="The most points that a person gets in the period.")
    used: int = Field(description="Points of it that awards have filled, without those that wait.")
    left: int = Field(description="Points of it that are free.")


class AwardPreviewOut(Out):
    """``points``: before caps; ``points_if_approved_now``: what the caps leave, and ``reason``.

    ``reviewers``: how many people have to approve it by hand.
    """

    rule_key: str = Field(description="Key of the rule.")
    rule_name: Worded = Field(description="Name of the rule, in the language of the request.")
    points: int = Field(description="Points by the rule, before caps.")
    points_if_approved_now: int = Field(description="Points that the caps leave at this moment.")
    minutes: int = Field(description="Minutes of volunteer service.")
    reason: Reason = Field(description="Which cap cut it; `full`: none.")
    reviewers: int = Field(description="How many people have to approve it.")
    caps: list[RoomOut] = Field(description="The caps that apply to the person.")
