"""API schemas of funds (公益银行). Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.funds import FundMonth, ReceiptForm, ReceiptKind, ReceiptState
from app.schemas.base import Flag, In, OneLine, Out, example
from app.schemas.notify import words

HEADINGS = {
    "reversal_reason": Bilingual("冲正原因", "Reason of reversal"),
    "form": Bilingual("形式", "Form"),
    "value_cents": Bilingual("价值（分）", "Value (cents)"),
    "goods": Bilingual("物品", "Goods"),
    "month": Bilingual("月份", "Month"),
    "opening": Bilingual("期初流通积分", "Outstanding before"),
    "received": Bilingual("收入", "Received"),
    "issued": Bilingual("发放", "Issued"),
    "redeemed": Bilingual("兑换", "Redeemed"),
    "expired": Bilingual("到期", "Expired"),
    "reversed": Bilingual("冲正与扣分", "Reversed"),
    "returned": Bilingual("本行柜台回收", "Returned"),
    "closing": Bilingual("期末流通积分", "Outstanding after"),
    "as_of": Bilingual("截至", "As of (Shanghai)"),
    "is_closed": Bilingual("已结账", "Closed"),
}
NOTICES = {
    "receipt_reversals_waiting": words(
        ("收入冲正待确认", "Reversals to confirm"),
        "{org}有 {count:n} 笔收入记录的冲正待确认。",
        "{count:n reversal} of receipts to confirm at {org}.",
        merges=True,
    ),
    "receipt_reversal_decided": words(
        ("收入冲正结果", "Reversal decided"),
        "您提出冲正「{giver}」的 {points:n} 积分，{confirmed:已冲正|未予冲正}：{reason}",
        "Your reversal of {points:n point} from {giver} was {confirmed:confirmed|declined}:"
        " {reason}",
    ),
}

VALUES = {
    ReceiptKind: {
        ReceiptKind.donation: ("捐赠", "donation"),
        ReceiptKind.budget: ("预算拨入", "budget"),
    },
    ReceiptForm: {
        ReceiptForm.money: ("资金", "money"),
        ReceiptForm.goods: ("物品", "goods"),
    },
    ReceiptState: {
        ReceiptState.standing: ("有效", "standing"),
        ReceiptState.reversal_proposed: ("冲正待确认", "reversal to be confirmed"),
        ReceiptState.reversed: ("已冲正", "reversed"),
    },
}


class ReceiptIn(
    In,
    json_schema_extra=example(
        {
            "kind": "donation",
            "points": 5000,
            "giver": "扬中市青年企业家协会",
            "note": "用于暑期志愿服务",
            "form": "goods",
            "value_cents": 500000,
            "goods": "洗衣液 200 瓶",
        }
    ),
):
    """A donation or a budget, its giver, and what it is worth."""

    kind: ReceiptKind = Field(description="What came in.")
    points: Annotated[int, Field(ge=1, le=100_000_000, strict=True)] = Field(
        description="Points that the fund received."
    )
    giver: Annotated[str, OneLine(100)] = Field(description="Who gave them. Everybody may read it.")
    note: Annotated[str, OneLine(300)] | None = Field(
        default=None, description="A remark, which everybody may read; null: none."
    )
    form: ReceiptForm | None = Field(
        default=None, description="Whether it is money or goods, with `value_cents`; null: unsaid."
    )
    value_cents: Annotated[int, Field(ge=1, le=100_000_000_000, strict=True)] | None = Field(
        default=None,
        description="What it is worth, in cents of the yuan, with `form`; null: unsaid, then it"
        " counts as its points times the value of a point.",
    )
    goods: Annotated[str, OneLine(200)] | None = Field(
        default=None, description="What was given, of goods: kinds and numbers; else null."
    )

    @model_validator(mode="after")
    def _is_valued(self) -> Self:
        if (self.form is None) != (self.value_cents is None):
            raise wrong("form 与 value_cents 须同时填写", "form and value_cents go together")
        if (self.goods is not None) != (self.form is ReceiptForm.goods):
            raise wrong(
                "物品捐赠须填 goods，其他情形不填", "goods are described, and nothing else is"
            )
        return self


class ReceiptReversalIn(In, json_schema_extra=example({"reason": "多打了一个零"})):
    """Why a receipt should be reversed; everybody may read it."""

    reason: Annotated[str, OneLine(100)] = Field(
        description="Why it should be reversed. Everybody may read it."
    )


class ReceiptDecisionIn(
    In, json_schema_extra=example({"confirmed": True, "reason": "与银行回单核对过"})
):
    """``confirmed``: the receipt is reversed; else it stands."""

    confirmed: Flag = Field(description="True: the receipt is reversed; false: it stands.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why it was decided so.")


class ReceiptOut(Out):
    """``state`` and ``reversal_reason``: two administrators reverse what was mistyped."""

    id: UUID = Field(description="Id of the receipt.")
    kind: ReceiptKind = Field(description="What came in.")
    points: int = Field(description="Points that the fund received.")
    giver: str = Field(description="Who gave them.")
    note: str = Field(description="A remark.")
    form: ReceiptForm | None = Field(description="Money or goods; null: unsaid.")
    value_cents: int | None = Field(
        description="What it is worth, in cents of the yuan; null: unsaid."
    )
    goods: str | None = Field(description="What was given, of goods; else null.")
    state: ReceiptState = Field(description="State of the receipt.")
    reversal_reason: str | None = Field(
        description="Why it should be, or was, reversed; null: nobody proposed it."
    )
    created_at: datetime = Field(description="When it was recorded, in UTC.")


class FundOut(Out):
    """Where all points ever issued are, at the end of a month or until ``as_of``.

    ``as_of`` is null before any figures were ever written.

    ``issued = available + pending + held + spent + expired + reversed``. ``received``: points
    from donations and budgets. ``returned``: points redeemed at the fund's own counters.
    """

    month: str = Field(description="The month, in Asia/Shanghai: `2026-11`.")
    issued: int = Field(description="Points that were ever issued.")
    available: int = Field(description="Points that people can spend.")
    pending: int = Field(description="Points of awards that are not released yet.")
    held: int = Field(description="Points that reservations hold.")
    spent: int = Field(description="Points that were spent.")
    expired: int = Field(description="Points that expired.")
    reversed: int = Field(description="Points that reversals and deductions took.")
    received: int = Field(description="Points from donations and budgets.")
    returned: int = Field(description="Points redeemed at the fund's own counters.")
    as_of: datetime | None = Field(
        description="Until when the figures count, in UTC; null: none were written."
    )
    is_closed: bool = Field(description="True: the month is over, its figures are final.")


class FundMonthOut(Out):
    """A month of a fund: ``closing = opening + issued - redeemed - expired - reversed``.

    ``opening`` and ``closing``: points that were issued and neither spent nor gone: available,
    pending or held by people. ``received``: from donations and budgets; ``returned``: redeemed at
    the fund's own counters. What is undone counts negative. Months without a transfer are not
    listed.
    """

    month: str = Field(description="YYYY-MM, in Asia/Shanghai.")
    opening: int = Field(
        description="Points outstanding before the month: issued, and neither spent nor gone."
    )
    received: int = Field(description="Points from donations and budgets.")
    issued: int = Field(description="Points given to people.")
    redeemed: int = Field(description="Points that people spent.")
    expired: int = Field(description="Points that expired with people.")
    reversed: int = Field(description="Points that reversals and deductions took from people.")
    returned: int = Field(
        description="Those of `redeemed` that came back at the fund's own counters."
    )
    closing: int = Field(description="Points outstanding after the month, or at `as_of`.")
    as_of: datetime = Field(description="Until when transfers are counted.")
    is_closed: bool = Field(description="The month never changes any more.")

    @classmethod
    def of(cls, one: FundMonth, before: FundMonth | None) -> Self:
        """Make a month of its sums since the beginning and those of the month before."""
        names = ("received", "issued", "expired", "reversed", "returned", "spent")
        moved = {name: getattr(one, name) - getattr(before, name, 0) for name in names}
        return cls(
            month=f"{one.month:%Y-%m}",
            opening=_outstanding(before) if before is not None else 0,
            redeemed=moved.pop("spent"),
            closing=_outstanding(one),
            **moved,
            as_of=one.as_of,
            is_closed=one.closed_at is not None,
        )


def _outstanding(one: FundMonth) -> int:
    return one.available + one.pending + one.held
