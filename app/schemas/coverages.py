"""API schemas of coverages: what a fund (公益银行) is worth and owes, in cents of the yuan."""

from datetime import datetime

from pydantic import Field

from app.schemas.base import Out
from app.schemas.notify import words

NOTICES = {
    "coverage_frozen": words(
        ("兑换清单已冻结", "Prices frozen"),
        "{org}流通积分的价值超过基金的 {limit:n}%，兑换清单停止调价和上新，请补充基金。",
        "The points outstanding of {org} are worth more than {limit:n} % of its fund: prices are"
        " frozen and nothing new is published until the fund is topped up.",
    ),
    "coverage_unfrozen": words(
        ("兑换清单已解冻", "Prices free again"),
        "{org}流通积分的价值不再超过基金的 {limit:n}%，兑换清单恢复调价和上新。",
        "The points outstanding of {org} are worth no more than {limit:n} % of its fund: prices may"
        " change again.",
    ),
}


class CoverageOut(Out):
    """What the fund of an organisation is worth, beside the points that people have of it.

    Fields in cents are null where the points rules set no value of a point.
    ``fund_cents = money_cents + goods_cents + unvalued_cents - spent_cents``,
    ``liability_cents = outstanding * point_value_cents``,
    ``coverage_percent = fund_cents * 100 / liability_cents``, rounded down.
    """

    point_value_cents: int | None = Field(
        description="Value of a point, by the points rules; null: none is set."
    )
    outstanding: int = Field(description="Points that people have: available, pending or held.")
    liability_cents: int | None = Field(description="What these points are worth.")
    money_cents: int = Field(description="Money that came in, without what was reversed.")
    goods_cents: int = Field(description="Worth of the goods that came in, as above.")
    unvalued_cents: int | None = Field(
        description="Points of receipts without a stated value, times the value of a point."
    )
    spent_cents: int | None = Field(
        description="Points that people spent, at the value of a point in the month of spending."
    )
    fund_cents: int | None = Field(description="What the fund is worth; less than 0: overspent.")
    coverage_percent: int | None = Field(
        description="The fund as a percentage of the liability, rounded down; null also without"
        " points outstanding."
    )
    issuable: int | None = Field(
        description="Budget: points that a limited fund can still issue; null: it has no limit."
    )
    freeze_percent: int = Field(
        description="Prices freeze while the liability is more than this percentage of the fund."
    )
    frozen_since: datetime | None = Field(
        description="Since when prices are frozen, in UTC; null: they are not."
    )
    as_of: datetime | None = Field(
        description="Until when points are counted, in UTC; null: no figures were written."
    )
