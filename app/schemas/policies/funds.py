"""Settings of a policy document about the fund (公益银行) of an organisation."""

from typing import Annotated

from pydantic import Field

from app.schemas.policies.shapes import Shape


class Fund(Shape):
    """``limited``: a 公益银行 issues only what it received: donations, budgets, redeemed points.

    ``point_value_cents``: what a point costs the fund, in cents of the yuan. Where it is set,
    prices freeze while the points outstanding are worth more than ``freeze_percent`` of the fund.
    """

    limited: bool = Field(
        default=False, description="True: only points that the fund received can be issued."
    )
    point_value_cents: Annotated[int | None, Field(ge=1, le=10_000)] = Field(
        default=None, description="Value of a point in cents of the yuan; null: none is set."
    )
    freeze_percent: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=120,
        description="Prices freeze while the points outstanding are worth more than this percentage"
        " of the fund; only where a point has a value.",
    )
