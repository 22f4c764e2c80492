"""WeChat's server API: a thin client that says "no" in named refusals."""

from app.integrations.wechat.client import WechatClient, WechatSession
from app.integrations.wechat.refusals import (
    CodeInvalid,
    UserAtRisk,
    WechatLimited,
    WechatUnavailable,
)

__all__ = [
    "CodeInvalid",
    "UserAtRisk",
    "WechatClient",
    "WechatLimited",
    "WechatSession",
    "WechatUnavailable",
]
