"""API schemas of funds (公益银行). Amounts are whole points."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.funds import FundMonth, ReceiptKind, ReceiptState
from app.schemas.base import Flag, In, OneLine, Out
from app.schemas.notify import words

HEADINGS = {
    "reversal_reason": Bilingual("冲正原因", "Reason of reversal"),
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
    ReceiptState: {
        ReceiptState.standing: ("有效", "standing"),
        ReceiptState.reversal_proposed: ("冲正待确认", "reversal to be confirmed"),
        ReceiptState.reversed: ("已冲正", "reversed"),
    },
}


class ReceiptIn(In):
    """A donation or a budget, and its giver."""

    kind: ReceiptKind
    points: Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
    giver: Annotated[str, OneLine(100)]
    note: Annotated[str, OneLine(300)] | None = None


class ReceiptReversalIn(In):
    """Why a receipt should be reversed; everybody may read it."""

    reason: Annotated[str, OneLine(100)]


class ReceiptDecisionIn(In):
    """``confirmed``: the receipt is reversed; else it stands."""

    confirmed: Flag
    reason: Annotated[str, OneLine(200)]


class ReceiptOut(Out):
    """``state`` and ``reversal_reason``: two administrators reverse what was mistyped."""

    id: UUID
    kind: ReceiptKind
    points: int
    giver: str
    note: str
    state: ReceiptState
    reversal_reason: str | None
    created_at: datetime


class FundOut(Out):
    """Where all points ever issued are, at the end of a month or until ``as_of``.

    ``as_of`` is null before any figures were ever written.

    ``issued = available + pending + held + spent + expired + reversed``. ``received``: points
    from donations and budgets. ``returned``: points redeemed at the fund's own counters.
    """

    month: str
    issued: int
    available: int
    pending: int
    held: int
    spent: int
    expired: int
    reversed: int
    received: int
    returned: int
    as_of: datetime | None
    is_closed: bool


class FundMonthOut(Out):
    """A month of a fund: ``closing = opening + issued - redeemed - expired - reversed``.

    ``opening`` and ``closing``: points that were issued and neither spent nor gone: available,
    pending or held by people. ``received``: from donations and budgets; ``returned``: redeemed at
    the fund's own counters. What is undone counts negative. Months without a transfer are not
    listed.
    """

    month: str = Field(description="YYYY-MM, in Asia/Shanghai.")
    opening: int
    received: int
    issued: int
    redeemed: int
    expired: int
    reversed: int
    returned: int
    closing: int
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
