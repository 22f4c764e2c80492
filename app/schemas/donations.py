"""Wire shapes of donations of points, and of the honour mark."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName, Worded
from app.schemas.base import Flag, In, OrgId, Out, RewardId, example
from app.schemas.notify import words

HEADINGS = {"points_given": Bilingual("捐赠积分", "Points given")}
NOTICES = {
    "donation_received": words(
        ("感谢捐赠", "Thank you"),
        "您为「{reward}」×{quantity:n} 捐赠了 {points:n} 积分，公益银行已收到。",
        "You gave {points:n point} for “{reward}” × {quantity:n}: the fund has them.",
    ),
}


class DonationIn(
    In,
    json_schema_extra=example({"reward_id": "01900000-0000-7003-8000-000000000015", "quantity": 2}),
):
    """``quantity`` pieces of a reward of the kind donation."""

    reward_id: RewardId
    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = Field(
        default=1, description="Pieces: the points of one piece are given so many times."
    )


class HonourOut(Out):
    """The honour mark of the running calendar year (Asia/Shanghai)."""

    year: int = Field(description="The year.")
    points_given: int = Field(description="Points that the caller gave in it.")
    points_needed: int = Field(description="Points that make the mark.")
    has_mark: bool = Field(description="Whether the caller has the mark.")
    is_public: bool = Field(description="Whether public lists may show it.")


class DonationOut(Out):
    """What the 公益银行 received; a redemption of the same id stands in the caller's list."""

    id: UUID = Field(description="Id of the redemption.")
    reward_id: RewardId
    reward_name: Worded = Field(description="What it is given for.")
    org_id: OrgId
    points: int = Field(description="Points that were given.")
    given_at: datetime = Field(description="When, in UTC.")
    honour: HonourOut = Field(description="The caller's honour mark after it.")


class HonourIn(In, json_schema_extra=example({"is_public": False})):
    is_public: Flag = Field(description="Whether public lists may show the caller's mark.")


class HonouredOut(Out):
    """Somebody with the honour mark: the name is masked, unless the person shows it."""

    display_name: PersonName = Field(description="Name of the person.")
    points_given: int = Field(description="Points given in the year at the organisation.")


class HonouredListOut(Out):
    """Those who gave most, at most a hundred; not who hides the mark, nor children under 14."""

    year: int = Field(description="The year.")
    items: list[HonouredOut] = Field(description="The people, those who gave most first.")
