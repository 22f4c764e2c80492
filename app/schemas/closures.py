"""Wire shapes of closures, and the words of their notice."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.models.closures import ClosureCause
from app.schemas.base import Out
from app.schemas.notify import words

NOTICES = {
    "closure_asked": words(
        ("账号注销", "Account closing"),
        "您的账号将于 {due_at:time} 注销，届时个人信息将被删除、未使用的积分作废。"
        "在此之前可以撤销注销。",
        "Your account closes on {due_at:time}: your data are erased and unspent points are lost."
        " Until then you can keep it.",
    )
}
VALUES = {
    ClosureCause: {
        ClosureCause.asked: ("本人申请", "asked for"),
        ClosureCause.consent_withdrawn: ("撤回同意", "consent withdrawn"),
        ClosureCause.wechat_revoked: ("微信撤回授权", "revoked at WeChat"),
        ClosureCause.wechat_cancelled: ("微信注销", "cancelled at WeChat"),
        ClosureCause.guardian: ("监护人移除", "removed by the guardian"),
    }
}


class ClosureOut(Out):
    """A closure that is asked for and not yet carried out."""

    cause: ClosureCause = Field(description="Why the account is closed.")
    asked_at: datetime = Field(description="When the closure was asked for.")
    due_at: datetime = Field(
        description="Until then the person may keep the account; then it is erased for good."
    )


class AuthorizationEvent(BaseModel):
    """WeChat's event: a user took back what was authorized, or cancelled the account there.

    ``CreateTime``: Unix seconds.
    """

    openid: str = Field(alias="OpenID", min_length=1, max_length=100, pattern="^[!-~]+$")
    created_at: int = Field(alias="CreateTime", ge=0, lt=2**40)
