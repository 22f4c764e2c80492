"""Limits of charges at counters: a table of a policy document."""

from typing import Annotated

from pydantic import Field

from app.schemas.policies.shapes import Shape

MAX_CHARGED = 10_000_000
Limit = Annotated[int | None, Field(ge=1, le=MAX_CHARGED)]


class Charges(Shape):
    """Limits of charges at counters, in points; null: none. A day is one of Asia/Shanghai.

    ``confirm_above``: the payer confirms a larger charge within 60 s, else the points go back.
    """

    confirm_above: Limit = Field(
        default=None,
        description="Points of a charge above which its payer must confirm it; null: never.",
    )
    person_day: Limit = Field(
        default=None, description="Points that a person pays at counters in a day; null: no cap."
    )
    merchant_day: Limit = Field(
        default=None, description="Points that a merchant charges in a day; null: no cap."
    )
    person_at_merchant_day: Limit = Field(
        default=None,
        description="Points that a person pays at one merchant in a day; null: no cap.",
    )
