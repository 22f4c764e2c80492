"""API schemas of the periods of a fund (公益银行). Amounts are points or cents of the yuan."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import Out


class FundPeriod(StrEnum):
    month = "month"
    quarter = "quarter"
    year = "year"


VALUES = {
    FundPeriod: {
        FundPeriod.month: ("月", "month"),
        FundPeriod.quarter: ("季度", "quarter"),
        FundPeriod.year: ("年", "year"),
    }
}
HEADINGS = {
    "name": Bilingual("期间", "Period"),
    "starts_at": Bilingual("起", "From (Shanghai)"),
    "ends_at": Bilingual("止", "Until (Shanghai)"),
    "opening": Bilingual("期初流通积分", "Outstanding before"),
    "received": Bilingual("收入", "Received"),
    "issued": Bilingual("发放", "Issued"),
    "redeemed": Bilingual("兑换", "Redeemed"),
    "expired": Bilingual("到期", "Expired"),
    "reversed": Bilingual("冲正与扣分", "Reversed"),
    "returned": Bilingual("本行柜台回收", "Returned"),
    "closing": Bilingual("期末流通积分", "Outstanding after"),
    "money_cents": Bilingual("资金收入（分）", "Money received (cents)"),
    "goods_cents": Bilingual("物品收入（分）", "Goods received (cents)"),
    "liability_cents": Bilingual("期末流通积分价值（分）", "Liability after (cents)"),
    "fund_cents": Bilingual("期末基金价值（分）", "Fund after (cents)"),
    "coverage_percent": Bilingual("保障率（%）", "Coverage (%)"),
    "as_of": Bilingual("截至", "As of (Shanghai)"),
    "is_closed": Bilingual("已结账", "Closed"),
}


class FundPeriodOut(Out):
    """A month, quarter or year: ``closing = opening + issued - redeemed - expired - reversed``.

    Sums of its months. A receipt that was reversed counts negative in the period of its reversal.
    Periods without a transfer are not listed; a closed one never changes.
    """

    name: str = Field(description="`2026-11`, `2026-Q4` or `2026`, in Asia/Shanghai.")
    starts_at: datetime = Field(description="When it began, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")
    opening: int = Field(
        description="Points outstanding before it: issued, and neither spent nor gone."
    )
    received: int = Field(description="Points from donations and budgets.")
    issued: int = Field(description="Points given to people.")
    redeemed: int = Field(description="Points that people spent.")
    expired: int = Field(description="Points that expired with people.")
    reversed: int = Field(description="Points that reversals and deductions took from people.")
    returned: int = Field(
        description="Those of `redeemed` that came back at the fund's own counters."
    )
    closing: int = Field(description="Points outstanding after it, or at `as_of`.")
    money_cents: int = Field(description="Money that came in, in cents.")
    goods_cents: int = Field(description="Stated worth of the goods that came in, in cents.")
    liability_cents: int | None = Field(
        description="Worth of the points outstanding at its end, in cents, at the value of a point"
        " then; null: none was set."
    )
    fund_cents: int | None = Field(
        description="Worth of the fund at its end, in cents, less what was spent; null as above."
    )
    coverage_percent: int | None = Field(
        description="The fund as a percentage of the liability, rounded down; null without one."
    )
    as_of: datetime = Field(description="Until when transfers are counted.")
    is_closed: bool = Field(description="It is over, and never changes any more.")
