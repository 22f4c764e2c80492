"""Prices of rewards, and what makes the honour mark: a table of a policy document."""

from typing import Annotated

from pydantic import Field

from app.schemas.policies.shapes import Shape


class Rewards(Shape):
    """The step of prices, and the honour mark (爱心标识) of who gave to the 公益银行."""

    price_step: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=1, description="Points of which each new price is a multiple."
    )
    honour_points: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1, description="Points given in a calendar year that make the honour mark."
    )
