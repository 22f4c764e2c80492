"""Wire shapes of copies of one's data, and the words of their notice."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.schemas.base import Out
from app.schemas.notify import words

NOTICES = {
    "data_copy_ready": words(
        ("个人信息副本", "Copy of your data"),
        "您的个人信息副本已生成，请在 {until:time} 前下载。",
        "The copy of your data is ready: download it until {until:time}.",
    )
}
# The parts of a copy, in this order.
PARTS = {
    "profile": Bilingual("个人资料", "Profile"),
    "card": Bilingual("青享卡", "Card"),
    "ended_cards": Bilingual("作废卡号", "Numbers that the card had"),
    "tiers": Bilingual("等级", "Tiers"),
    "roles": Bilingual("职责", "Roles"),
    "logins": Bilingual("登录", "Logins"),
    "consents": Bilingual("同意记录", "Consents"),
    "name": Bilingual("实名确认", "Confirmed name"),
    "closures": Bilingual("注销申请", "Closure"),
    "merges": Bilingual("账号合并", "Merges of accounts"),
    "signups": Bilingual("报名", "Sign-ups"),
    "answers": Bilingual("表单答案", "Answers to forms"),
    "pauses": Bilingual("暂停报名", "Pauses of sign-up"),
    "checkins": Bilingual("签到", "Check-ins"),
    "checkouts": Bilingual("签退", "Check-outs"),
    "corrections": Bilingual("签到更正", "Corrections of check-ins"),
    "flags": Bilingual("存疑签到", "Check-ins that were doubted"),
    "scans": Bilingual("离线记录", "Scans without network"),
    "visits": Bilingual("打卡", "Visits of checkpoints"),
    "hours": Bilingual("服务时段", "Time of service"),
    "children": Bilingual("孩子", "Children"),
    "awards": Bilingual("积分记录", "Awards"),
    "reviews": Bilingual("审核", "Reviews"),
    "deductions": Bilingual("扣分", "Deductions"),
    "cases": Bilingual("申诉与异议", "Appeals and objections"),
    "redemptions": Bilingual("兑换", "Redemptions"),
    "waits": Bilingual("缺货排队", "Queues for rewards"),
    "proxies": Bilingual("代领", "Proxies"),
    "categories": Bilingual("人员类别", "Categories"),
    "courtesies": Bilingual("礼遇", "Courtesies"),
    "packages": Bilingual("礼包", "Packages of courtesies"),
    "charges": Bilingual("消费", "Charges"),
    "refunds": Bilingual("部分退款", "Refunds in part"),
    "entries": Bilingual("积分流水", "Passbook"),
    "certificates": Bilingual("志愿服务证明", "Certificates"),
    "notices": Bilingual("消息", "Notices"),
    "subscriptions": Bilingual("微信订阅", "Messages of WeChat"),
    "attachments": Bilingual("附件", "Attachments"),
    "acts": Bilingual("操作记录", "Acts"),
}


class DataCopyOut(Out):
    """A copy of all that is kept of the caller: a zip of JSON, XLSX and the caller's files."""

    id: UUID = Field(description="Id of the copy.")
    created_at: datetime = Field(description="When it was asked for.")
    ready_at: datetime | None = Field(description="Null while it is being made.")
    expires_at: datetime = Field(description="When it is deleted.")
    url: str | None = Field(
        description="Path of the zip: a link that needs no login, for 5 minutes. Null before."
    )


class DataCopiesOut(Out):
    """The copies that there are: one at most."""

    items: list[DataCopyOut] = Field(description="The copies; one at most.")
