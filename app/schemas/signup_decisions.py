"""Wire shapes of decisions about sign-ups that wait for approval."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from app.core.validation_messages import wrong
from app.schemas.base import Flag, In, OneLine, example
from app.schemas.notify import words

NOTICES = {
    "signup_approved": words(
        ("报名通过", "Sign-up approved"),
        "您对「{title}」（{starts_at:time}）的报名已通过{waits:，暂列候补|}。",
        "Your sign-up to “{title}” ({starts_at:time}) was approved"
        "{waits:; you are in its waiting list|}.",
    ),
    "signup_declined": words(
        ("报名未通过", "Sign-up declined"),
        "您对「{title}」（{starts_at:time}）的报名未通过：{reason}",
        "Your sign-up to “{title}” ({starts_at:time}) was declined: {reason}",
    ),
}


class SignupDecisionIn(In, json_schema_extra=example({"approved": True, "reason": "材料齐全"})):
    """A sign-up that is declined needs a reason, which the person reads."""

    approved: Flag = Field(description="Whether the person gets a place, or waits for one.")
    reason: Annotated[str, OneLine(200)] | None = Field(
        description="Why: demanded where it is declined, else it may be null; in the audit trail."
    )

    @model_validator(mode="after")
    def _with_reason(self) -> Self:
        if not self.approved and self.reason is None:
            raise wrong("不通过须写明原因", "a sign-up that is declined needs a reason")
        return self
