"""Wire shapes of agreements with merchants, and the words of their notices."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.agreements import AgreementState
from app.schemas.base import (
    STREET,
    Day,
    In,
    MerchantId,
    OneLine,
    OrgId,
    RecordOut,
    Text,
    example,
)
from app.schemas.notify import words

CAFE = "01900000-0000-7002-8000-000000000001"  # a merchant of the demonstration data
MAX_CENTS = 10**10  # 100 million yuan

HEADINGS = {
    "since": Bilingual("起始日", "First day"),
    "until": Bilingual("截止日", "Last day"),
    "merchant_id": Bilingual("商户编号", "Merchant id"),
    "cents_per_point": Bilingual("每积分折合（分）", "Cents per point"),
    "subsidy_percent": Bilingual("组织承担比例（%）", "Paid by the organisation (%)"),
    "cap_cents": Bilingual("每月上限（分）", "Monthly cap (cents)"),
}
VALUES = {
    AgreementState: {
        AgreementState.proposed: ("待商户确认", "proposed"),
        AgreementState.active: ("执行中", "active"),
        AgreementState.declined: ("商户未接受", "declined"),
        AgreementState.withdrawn: ("已撤回", "withdrawn"),
        AgreementState.ended: ("已终止", "ended"),
    },
}
NOTICES = {
    "agreement_proposed": words(
        ("结算协议待确认", "Agreement proposed"),
        "{org}提出与「{merchant}」的结算协议，{since:day}起执行，请确认。",
        "{org} proposes an agreement with “{merchant}” from {since:day} on; please answer it.",
    ),
    "agreement_moved": words(
        ("结算协议变更", "Agreement"),
        "{org}与「{merchant}」的结算协议{in_force:已生效|未接受、已撤回或已终止}：{reason}",
        "The agreement of {org} with “{merchant}” {in_force:is accepted|is declined, withdrawn or"
        " ended}: {reason}",
    ),
}


class AgreementIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "merchant_id": CAFE,
            "since": "2028-05-04",
            "cents_per_point": 10,
            "subsidy_percent": 80,
            "cap_cents": 200000,
            "note": "每季度对账一次",
        }
    ),
):
    """``until`` left out: it has no last day until somebody ends it."""

    org_id: OrgId
    merchant_id: MerchantId
    since: Day = Field(
        description="First day, in Asia/Shanghai: of last month or later, and of a month that is"
        " not settled."
    )
    until: Day | None = Field(default=None, description="Last day; null: it has none.")
    cents_per_point: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        description="What a point is worth, in yuan cents."
    )
    subsidy_percent: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        default=100,
        description="Part of the value that the organisation pays; the merchant bears the rest.",
    )
    cap_cents: Annotated[int, Field(strict=True, ge=0, le=MAX_CENTS)] | None = Field(
        default=None,
        description="The most that the organisation pays for a month, in yuan cents; null: no cap.",
    )
    note: Annotated[Text, Field(max_length=500)] | None = Field(
        default=None, description="What else was agreed; lines allowed."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not date(2020, 1, 1) <= self.since <= (self.until or self.since) < date(2100, 1, 1):
            raise wrong("截止日不能早于起始日", "the last day does not lie before the first")
        return self


class AgreementMoveIn(In, json_schema_extra=example({"state": "active", "reason": "同意按此结算"})):
    """``until`` goes with ``ended``: the last day, today or later."""

    state: AgreementState = Field(description="The state that the agreement should have.")
    until: Day | None = Field(
        default=None, description="With `ended`: its last day, today or later. Else null."
    )
    reason: Annotated[str, OneLine(200)] = Field(
        description="Why. The other side reads it, and it stands in the audit trail."
    )


class AgreementOut(RecordOut):
    merchant_id: MerchantId
    since: date = Field(description="First day, in Asia/Shanghai.")
    until: date | None = Field(description="Last day; null: it has none.")
    cents_per_point: int = Field(description="What a point is worth, in yuan cents.")
    subsidy_percent: int = Field(
        description="Part of the value that the organisation pays; the merchant bears the rest."
    )
    cap_cents: int | None = Field(
        description="The most that the organisation pays for a month, in yuan cents; null: no cap."
    )
    note: str | None = Field(description="What else was agreed; null: nothing.")
    state: AgreementState = Field(
        description="State of the agreement; `ended`: in force until its last day."
    )
