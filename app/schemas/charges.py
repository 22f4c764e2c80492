"""API schemas of charges as payer and counter see them, and of disputes about them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.cases import Case, CaseOutcome, CaseState
from app.models.redemptions import ChargeStatus
from app.schemas import redemptions
from app.schemas.base import In, MerchantId, OneLine, Out, example
from app.schemas.notify import words
from app.schemas.redemptions import PayerOut, Points

NOTICES = {
    "charge_waiting": words(
        ("请确认付款", "Confirm a payment"),
        "{merchant}收取 {points:n} 积分，请在 {expires_at:time} 前确认；未确认则自动退回。",
        "{merchant} charges {points:n point}. Confirm by {expires_at:time}; else they come back.",
    ),
    "charge_expired": words(
        ("付款未确认", "Payment not confirmed"),
        "{merchant}收取的 {points:n} 积分未在一分钟内确认，已退回。",
        "{points:n point} charged by {merchant} were not confirmed within a minute and came back.",
    ),
    "dispute_opened": words(
        ("收款有争议", "Charge disputed"),
        "一笔 {points:n} 积分的收款被付款人提出争议：{reason}",
        "The payer disputes a charge of {points:n point}: {reason}",
    ),
    "disputes_waiting": words(
        ("收款争议待处理", "Disputes to decide"),
        "{org}新收到 {count:n} 项收款争议，请处理。",
        "{count:n new dispute} of charges to decide at {org}.",
        merges=True,
    ),
    "dispute_decided": words(
        ("收款争议处理结果", "Dispute decided"),
        "对{merchant}收取 {points:n} 积分的争议{upheld:成立，积分已退回|不成立}：{reason}",
        "The dispute of {points:n point} charged by {merchant} was"
        " {upheld:upheld, and the points given back|dismissed}: {reason}",
    ),
}
HEADINGS = {
    "dispute.created_at": Bilingual("争议提出时间", "Disputed at (Shanghai)"),
    "charge_id": Bilingual("收款编号", "Charge id"),
    "points_refunded": Bilingual("已退积分", "Points refunded"),
    "disputed_until": Bilingual("可提出争议至", "Disputable until (Shanghai)"),
    "expires_at": Bilingual("确认截止时间", "Confirm by (Shanghai)"),
    "settled_at": Bilingual("确认或结束时间", "Settled at (Shanghai)"),
    "refunded_at": Bilingual("退款时间", "Refunded at (Shanghai)"),
    "decided_at": Bilingual("争议处理时间", "Decided at (Shanghai)"),
    "charged_at": Bilingual("收款时间", "Charged at (Shanghai)"),
}


class DisputeState(StrEnum):
    """``ended``: the merchant refunded it, or the account of the payer was closed."""

    open = "open"
    upheld = "upheld"
    dismissed = "dismissed"
    ended = "ended"

    @classmethod
    def of(cls, case: Case) -> "DisputeState":
        if case.outcome is not None:
            return cls.upheld if case.outcome == CaseOutcome.adopted else cls.dismissed
        return cls.ended if case.state == CaseState.withdrawn else cls.open


VALUES = {
    ChargeStatus: redemptions.VALUES[ChargeStatus],
    DisputeState: {
        DisputeState.open: ("待处理", "open"),
        DisputeState.upheld: ("成立", "upheld"),
        DisputeState.dismissed: ("不成立", "dismissed"),
        DisputeState.ended: ("已终止", "ended"),
    },
}


class DisputeStateOut(Out):
    """The dispute about a charge."""

    state: DisputeState = Field(description="State of the dispute.")
    reason: str = Field(description="Why the payer disputes it.")
    decision: str | None = Field(description="Why it was decided so; null: undecided.")
    created_at: datetime = Field(description="When it was opened, in UTC.")
    decided_at: datetime | None = Field(description="When it was decided, in UTC; null: not yet.")

    @classmethod
    def of(cls, case: Case) -> Self:
        return cls(
            state=DisputeState.of(case),
            reason=case.reason,
            decision=case.answer,
            created_at=case.created_at,
            decided_at=case.answered_at,
        )


class _ChargeOut(Out):
    id: UUID = Field(description="Id of the charge.")
    points: int = Field(description="Points that were charged.")
    points_refunded: int = Field(description="Points of it that went back.")
    note: str = Field(description="What was bought; may be empty.")
    status: ChargeStatus = Field(description="State of the charge.")
    created_at: datetime = Field(description="When it was charged, in UTC.")
    expires_at: datetime | None = Field(
        description="Until when the payer can confirm it, in UTC; null: no need to."
    )
    settled_at: datetime | None = Field(
        description="When it was confirmed, refused or expired, in UTC; null: not, or no need to."
    )
    refunded_at: datetime | None = Field(description="When all of it went back; null: not.")
    dispute: DisputeStateOut | None = Field(description="The dispute about it; null: none.")


class MyChargeOut(_ChargeOut):
    """A charge as its payer sees it."""

    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")
    disputed_until: datetime | None = Field(
        description="Until when the payer can dispute it, in UTC; null: it cannot be disputed."
    )


class CounterChargeOut(_ChargeOut):
    """A charge as the merchant's staff sees it."""

    person: PayerOut = Field(description="Who pays, masked.")


class DisputeIn(In, json_schema_extra=example({"reason": "没有买过这件商品"})):
    reason: Annotated[str, OneLine(500)] = Field(
        description="Why. The merchant and whoever decides read it."
    )


class DisputeDecisionIn(
    In, json_schema_extra=example({"upheld": True, "reason": "商户未能出示小票", "points": 9})
):
    """``points``: of a dispute that is upheld; by default all that was not refunded yet."""

    upheld: Annotated[bool, Field(strict=True)] = Field(
        description="True: the points go back to the payer."
    )
    reason: Annotated[str, OneLine(100)] = Field(description="Why. Both sides read it.")
    points: Points | None = Field(
        default=None, description="Points to give back; null: all that were not given back yet."
    )


class DisputeOut(DisputeStateOut):
    """A dispute as organizers and auditors see it."""

    id: UUID = Field(description="Id of the dispute.")
    charge_id: UUID = Field(description="Id of the charge.")
    org_id: UUID = Field(description="Id of the organisation of the merchant, which decides.")
    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")
    display_name: PersonName = Field(description="Name of the payer, masked.")
    points: int = Field(description="Points that were charged.")
    points_refunded: int = Field(description="Points of them that went back.")
    note: str = Field(description="What was bought; may be empty.")
    charged_at: datetime = Field(description="When it was charged, in UTC.")
