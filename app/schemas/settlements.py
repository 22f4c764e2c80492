"""Wire shapes of settlements with merchants, and the words of their notices."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.settlements import LineKind, SettlementDisputeState, SettlementState
from app.schemas.agreements import CAFE, MAX_CENTS
from app.schemas.base import (
    STREET,
    Flag,
    Id,
    In,
    MerchantId,
    OneLine,
    OrgId,
    Out,
    RecordOut,
    example,
)
from app.schemas.notify import words
from app.schemas.redemptions import PayerOut

HEADINGS = {
    "month": Bilingual("月份", "Month"),
    "charged": Bilingual("收款积分", "Charged"),
    "refunded": Bilingual("退款积分", "Refunded"),
    "collected": Bilingual("核销积分", "Collected"),
    "undone": Bilingual("撤销核销积分", "Undone"),
    "opening": Bilingual("期初积分", "Opening points"),
    "closing": Bilingual("期末积分", "Closing points"),
    "value_cents": Bilingual("本月应付（分）", "Value of the month (cents)"),
    "corrected_cents": Bilingual("以前月份更正（分）", "Corrections (cents)"),
    "carried_cents": Bilingual("上月结转（分）", "Carried over (cents)"),
    "due_cents": Bilingual("应付合计（分）", "Due (cents)"),
    "paid_at": Bilingual("付款时间", "Paid at (Shanghai)"),
    "paid_by": Bilingual("付款登记人编号", "Paid by (id)"),
    "paid_reference": Bilingual("付款凭证号", "Payment reference"),
    "agreement_id": Bilingual("协议编号", "Agreement id"),
    "dispute": Bilingual("争议", "Dispute"),
}
VALUES = {
    SettlementState: {
        SettlementState.settled: ("已结算", "settled"),
        SettlementState.paid: ("已付款", "paid"),
    },
    LineKind: {
        LineKind.charge: ("收款", "charge"),
        LineKind.collect: ("核销", "collection"),
        LineKind.refund: ("退款", "refund"),
        LineKind.undo: ("撤销核销", "undone collection"),
    },
    SettlementDisputeState: {
        SettlementDisputeState.open: ("待处理", "open"),
        SettlementDisputeState.upheld: ("成立", "upheld"),
        SettlementDisputeState.rejected: ("不成立", "rejected"),
    },
}
NOTICES = {
    "settlement_moved": words(
        ("月度结算", "Settlement"),
        "{org}与「{merchant}」{month}的结算单{paid:已登记付款|已出具，请核对}。",
        "The settlement of {org} with “{merchant}” for {month} {paid:is marked as paid|is made;"
        " please check it}.",
    ),
    "settlements_disputed": words(
        ("结算单有争议", "Disputed lines"),
        "{org}有 {count:n} 笔商户结算争议待处理。",
        "{count:n disputed line} of merchants' settlements to decide at {org}.",
        merges=True,
    ),
    "settlement_answered": words(
        ("结算争议处理结果", "Dispute decided"),
        "您对「{merchant}」{month}结算单的争议{upheld:成立，将在下次结算中更正|不成立}：{reason}",
        "Your dispute about “{merchant}”, {month}, is {upheld:upheld; the next settlement"
        " corrects it|rejected}: {reason}",
    ),
}


def _month(value: object) -> object:
    return f"{value:%Y-%m}" if isinstance(value, date) else value


Month = Annotated[
    str,
    Field(
        pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$",
        max_length=7,
        description="A month of Asia/Shanghai: `2026-11`.",
    ),
]
MonthOut = Annotated[str, BeforeValidator(_month), Field(description="The month: `2026-11`.")]


class SettlementIn(
    In, json_schema_extra=example({"org_id": STREET, "merchant_id": CAFE, "month": "2026-11"})
):
    org_id: OrgId
    merchant_id: MerchantId
    month: Month


class PaymentIn(In, json_schema_extra=example({"reference": "农商行转账 20261205-0031"})):
    reference: Annotated[str, OneLine(100)] = Field(
        description="Number of the bank transfer, or of the receipt."
    )


class SettlementDisputeIn(
    In,
    json_schema_extra=example(
        {"transfer_id": "01900000-0000-7009-8000-000000000001", "reason": "这笔当天已退现金"}
    ),
):
    transfer_id: Id = Field(description="Id of the disputed line.")
    reason: Annotated[str, OneLine(200)] = Field(description="What is wrong with it.")


class DisputeAnswerIn(
    In,
    json_schema_extra=example(
        {"upheld": True, "correction_cents": 40, "reason": "核对小票，少计一份"}
    ),
):
    """``correction_cents`` goes with ``upheld``; the next settlement takes it in."""

    upheld: Flag = Field(description="Whether the dispute is right.")
    correction_cents: Annotated[int, Field(strict=True, ge=-MAX_CENTS, le=MAX_CENTS)] | None = (
        Field(
            default=None,
            description="With `upheld`: yuan cents for the merchant; below 0: it gives them back."
            " At most what the line is worth, either way.",
        )
    )
    reason: Annotated[str, OneLine(200)] = Field(description="Why. Both sides read it.")

    @model_validator(mode="after")
    def _corrects(self) -> Self:
        if self.upheld != (self.correction_cents is not None):
            raise wrong("争议成立时须填更正金额，不成立时不填", "a correction goes with `upheld`")
        return self


class FiguresOut(Out):
    """Points of a month, each at least 0."""

    charged: int = Field(description="Points charged.")
    refunded: int = Field(description="Points of charges that were refunded.")
    collected: int = Field(description="Points of rewards that were collected.")
    undone: int = Field(description="Points of collections that were undone.")


class SettlementPartOut(FiguresOut):
    """The points that fall under one agreement; refunds under that of what they give back."""

    agreement_id: UUID | None = Field(description="The agreement; null: there was none then.")
    cents_per_point: int = Field(description="What a point is worth, in yuan cents; 0: nothing.")
    subsidy_percent: int = Field(description="Part of the value that the organisation pays.")
    cap_cents: int | None = Field(description="The most for a month, in yuan cents; null: no cap.")
    value_cents: int = Field(description="What the organisation pays for it, in yuan cents.")


class SettlementOut(RecordOut):
    """A settled month. It never changes, except that it is marked as paid."""

    merchant_id: MerchantId
    month: MonthOut
    charged: int = Field(description="Points charged.")
    refunded: int = Field(description="Points of charges that were refunded.")
    collected: int = Field(description="Points of rewards that were collected.")
    undone: int = Field(description="Points of collections that were undone.")
    opening: int = Field(description="What the months before came to, in points.")
    closing: int = Field(description="What all months come to with this one, in points.")
    value_cents: int = Field(description="For the points of the month, in yuan cents.")
    corrected_cents: int = Field(description="From disputes about earlier months, in yuan cents.")
    carried_cents: int = Field(
        description="What the month before left to be set off, in yuan cents; at most 0."
    )
    due_cents: int = Field(
        description="The sum of the three; negative: it is set off against the next month."
    )
    state: SettlementState = Field(description="State of the settlement.")
    paid_at: datetime | None = Field(description="When it was marked as paid, in UTC; or null.")
    paid_by: UUID | None = Field(description="Id of the person who marked it as paid; or null.")
    paid_reference: str | None = Field(description="Reference of the payment; null: not paid.")


class SettlementDisputeOut(RecordOut):
    settlement_id: UUID = Field(description="Id of the settlement that has the line.")
    transfer_id: UUID = Field(description="Id of the disputed line.")
    reason: str = Field(description="What is wrong with it.")
    state: SettlementDisputeState = Field(description="State of the dispute.")
    answer: str | None = Field(description="Why it was decided so; null while it is open.")
    correction_cents: int | None = Field(
        description="Yuan cents that the merchant gets or gives back; null: none."
    )
    corrected_in: UUID | None = Field(
        description="Id of the settlement that has the correction; null: the next one will."
    )


class SettlementDetailOut(SettlementOut):
    merchant_name: str = Field(description="Name of the merchant.")
    org_name: str = Field(description="Name of the organisation.")
    unit_name: str = Field(description="Name of the unit of its points.")
    parts: list[SettlementPartOut] = Field(description="The month by agreement.")
    disputes: list[SettlementDisputeOut] = Field(description="Disputes about lines of the month.")
    corrections: list[SettlementDisputeOut] = Field(
        description="Upheld disputes about earlier months, which this one corrects."
    )


class MerchantMonthOut(FiguresOut):
    """A month of a merchant under one organisation: settled, or as it stands now."""

    merchant_id: MerchantId
    org_id: OrgId
    org_name: str = Field(description="Name of the organisation.")
    month: MonthOut
    settlement_id: UUID | None = Field(description="Id of its settlement; null: not settled yet.")
    state: SettlementState | None = Field(description="State of the settlement; null: none yet.")
    parts: list[SettlementPartOut] = Field(description="The month by agreement.")
    value_cents: int = Field(description="For the points of the month, in yuan cents.")
    corrected_cents: int = Field(description="From disputes about earlier months, in yuan cents.")
    carried_cents: int = Field(
        description="What the month before left to be set off, in yuan cents; at most 0."
    )
    due_cents: int = Field(description="The sum of the three.")


class MerchantMonthsOut(Out):
    items: list[MerchantMonthOut] = Field(description="One for each organisation.")


class SettlementLineOut(Out):
    """A charge, a refund, a collection or an undone one."""

    id: UUID = Field(description="Id of the line: of its transfer in the ledger.")
    kind: LineKind = Field(description="What happened.")
    points: int = Field(description="Points; negative if they went back.")
    person: PayerOut = Field(description="Whose points they were.")
    note: str = Field(description="What it was for.")
    at: datetime = Field(description="When it was, in UTC.")
    agreement_id: UUID | None = Field(description="The agreement it falls under; null: none.")
    dispute: SettlementDisputeState | None = Field(
        description="State of its dispute; null: not disputed."
    )
