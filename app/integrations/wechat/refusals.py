"""WeChat's error codes as named refusals. Each refusal writes one log line.

The reply's ``errmsg`` is not logged (it may quote the request), only its ``rid``, which
identifies the call to WeChat's support.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.core import clock
from app.core.errors import Refusal

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 5

CODE_REFUSED = {40029, 40163, 41008}
TOKEN_REFUSED = {40001, 40014, 42001}
USER_AT_RISK = 40226
DAILY_QUOTA = 45009
MINUTE_QUOTA = 45011
# Application id, secret (40001 at the token call, too), blocked address, rights, account.
MISCONFIGURED = {40013, 40125, 40164, 40243, 48001, 50002} | TOKEN_REFUSED
OUR_BUG = {44002, 47001}


class CodeInvalid(Refusal):
    """Unknown, expired, used or missing code: the client calls ``wx.login`` again."""

    code, status, title = "auth.code_invalid", 401, "Login code invalid"
    zh, en = (
        "登录凭证无效或已使用，请重新登录",
        "The login code is not valid any more; log in again.",
    )


class UserAtRisk(Refusal):
    code, status, title = "auth.user_at_risk", 403, "User at risk"
    zh, en = "微信判定该账号存在风险，暂时无法登录", "WeChat holds this account to be at risk."


class WechatLimited(Refusal):
    code, status, title = "auth.wechat_limited", 429, "Too many WeChat calls"
    zh, en = "操作太频繁，请一分钟后再试", "Too many calls to WeChat; try again in a minute."
    fact_names = ("retry_after",)


class WechatUnavailable(Refusal):
    """WeChat gave no usable reply, or an error that the client cannot resolve.

    ``errcode`` is WeChat's, if there is one: callers of ``WechatClient.call`` branch on the
    codes of their path (43101: no subscription left, 47003: bad field).
    """

    code, status, title = "auth.wechat_unavailable", 503, "WeChat unavailable"
    zh, en = "微信服务暂时不可用，请稍后再试", "WeChat does not answer; try again in a moment."
    fact_names = ("retry_after",)
    errcode: int | None

    def __init__(
        self,
        *,
        retry_after: int | None = RETRY_AFTER_S,
        fields: list[dict[str, str]] | None = None,
        errcode: int | None = None,
    ) -> None:
        super().__init__(retry_after=retry_after, fields=fields)
        self.errcode = errcode


@dataclass(frozen=True)
class Answer:
    """A parsed reply. ``errcode`` is 0 on success, also if WeChat left it out.

    ``picture``: the bytes of a reply that is one, without fields.
    """

    errcode: int
    rid: str | None
    fields: dict[str, Any] = field(repr=False)
    picture: bytes = field(default=b"", repr=False)


def until_midnight(moment: datetime) -> int:
    """Return the seconds until the daily quotas reset, at midnight in Asia/Shanghai."""
    tomorrow = clock.midnight(clock.local_date(moment) + timedelta(days=1))
    return max(1, math.ceil((tomorrow - moment).total_seconds()))


def unavailable(path: str, reason: str) -> WechatUnavailable:
    """Log an unusable reply. ``reason`` must hold nothing of the request."""
    log.warning("wechat.unavailable", path=path, reason=reason)
    return WechatUnavailable()


def refusal(path: str, answer: Answer) -> Refusal:
    """Return the refusal of an error code, and log it."""
    errcode = answer.errcode
    told = {"path": path, "errcode": errcode, "rid": answer.rid}
    if errcode in CODE_REFUSED:
        log.info("wechat.code_refused", **told)
        return CodeInvalid()
    if errcode == USER_AT_RISK:
        log.warning("wechat.user_at_risk", **told)
        return UserAtRisk()
    if errcode == MINUTE_QUOTA:
        log.warning("wechat.limited", **told)
        return WechatLimited(retry_after=60)
    if errcode == DAILY_QUOTA:
        log.error("wechat.daily_quota", alert=True, **told)
        return WechatUnavailable(retry_after=until_midnight(clock.now()), errcode=errcode)
    if errcode in MISCONFIGURED:
        log.error("wechat.misconfigured", alert=True, **told)
    elif errcode in OUR_BUG:
        log.error("wechat.our_bug", alert=True, **told)
    else:
        log.warning("wechat.refused", **told)
    return WechatUnavailable(errcode=errcode)
