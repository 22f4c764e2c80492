"""Wire shapes of codes of vouchers."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.core.language import Worded
from app.core.validation_messages import wrong
from app.schemas.base import Code, In, OneLine, Out, RewardId, example
from app.schemas.notify import words
from app.schemas.redemptions import PayerOut

MOST = 1_000  # codes of one request
NOTICES = {
    "voucher_handed_out": words(
        ("券码已到账", "Voucher received"),
        "「{reward}」×{quantity:n}（{points:n} 积分）的券码已到账，请在我的兑换中查看。",
        "The codes of “{reward}” × {quantity:n} ({points:n point}) are with your redemptions.",
    ),
}


class VoucherCodesIn(In, json_schema_extra=example({"generate": 50})):
    """Either codes of somebody else, or how many of our own."""

    codes: Annotated[list[Annotated[str, OneLine(64)]], Field(min_length=1, max_length=MOST)] | (
        None
    ) = Field(default=None, description="Codes that a partner gave; those known are left out.")
    generate: Annotated[int, Field(strict=True, ge=1, le=MOST)] | None = Field(
        default=None, description="How many codes to make: twelve characters each."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.codes is None) == (self.generate is None):
            raise wrong(
                "codes 与 generate 须填且只填一项", "either codes or generate must be given"
            )
        return self


class VoucherStockOut(Out):
    """How many codes there are; nobody reads those that were not handed out."""

    reward_id: RewardId
    total: int = Field(description="Codes that there ever were.")
    handed_out: int = Field(description="Codes that residents have.")
    left: int = Field(description="Codes that are left.")


class VoucherCodesAddedOut(VoucherStockOut):
    added: int = Field(description="Codes that this request added.")
    known: int = Field(description="Codes that were there already, and were left out.")


class VoucherUseIn(In, json_schema_extra=example({"code": "7K3M-9QX2-B4TA"})):
    code: Annotated[str, Code(64)] = Field(description="The code that the person shows.")


class VoucherUsedOut(Out):
    """What the merchant gives for the code, and whose it was."""

    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the voucher.")
    person: PayerOut = Field(description="Who redeemed it.")
    used_at: datetime = Field(description="When the merchant took it, in UTC.")


class VoucherCodesOut(Out):
    """The codes of the caller's redemption, one for each piece; none of a reward without codes."""

    codes: list[str] = Field(description="The codes, to be shown or typed where they are accepted.")
