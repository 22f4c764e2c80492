"""Wire shapes of activities as their readers see them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from app.core.language import Bilingual, Worded
from app.models.activities import Category
from app.schemas import activities
from app.schemas.activities import ActivityOut
from app.schemas.base import OrgId, Out
from app.schemas.own_parts import OwnPartOut
from app.schemas.policies.documents import Per
from app.schemas.policies.showing import EvidenceOut

CATEGORY_NAMES = {
    Category.thought_guidance: Bilingual("思想引领", "Thought and guidance"),
    Category.culture: Bilingual("文化艺术", "Culture"),
    Category.health: Bilingual("身心健康", "Health"),
    Category.employment: Bilingual("就业创业", "Employment"),
    Category.social_life: Bilingual("婚恋交友", "Social life"),
    Category.rights_protection: Bilingual("权益维护", "Protection of rights"),
    Category.safety: Bilingual("安全防护", "Safety"),
    Category.social_practice: Bilingual("社会实践", "Social practice"),
    Category.volunteer_service: Bilingual("志愿服务", "Volunteer service"),
    Category.property_affairs: Bilingual("物业事务", "Property affairs"),
}
# Of activities, their sessions and what stands beside them; ``schemas/exports`` adds its own.
HEADINGS: dict[str, Bilingual] = {
    "category": Bilingual("类别", "Category"),
    "category_name": Bilingual("类别名称", "Name of the category"),
    "phase": Bilingual("阶段", "Phase"),
    "part": Bilingual("身份", "Part"),
    "brings.rule_name": Bilingual("规则名称", "Name of the rule"),
    "brings.points": Bilingual("可得积分", "Points that it brings"),
    "brings.minutes": Bilingual("可得时长（分钟）", "Minutes that it brings"),
    "brings.per": Bilingual("计分单位", "Paid per"),
    # Times, in Asia/Shanghai.
    "signup_opens_at": Bilingual("报名开始时间", "Sign-up opens (Shanghai)"),
    "signup_closes_at": Bilingual("报名截止时间", "Sign-up closes (Shanghai)"),
    "checkin_opens_at": Bilingual("签到开始时间", "Check-in opens (Shanghai)"),
    "checkin_closes_at": Bilingual("签到截止时间", "Check-in closes (Shanghai)"),
    # Numbers.
    "capacity": Bilingual("名额", "Capacity"),
    "signups_confirmed": Bilingual("已确认人数", "Confirmed"),
    "signups_waitlisted": Bilingual("候补人数", "On the waiting list"),
    "checkins": Bilingual("签到人数", "Check-ins"),
    "checkouts": Bilingual("签退人数", "Check-outs"),
    "awards_waiting": Bilingual("待审核项数", "Awards that wait"),
    "sessions": Bilingual("场次", "Sessions"),
    "minimum_attendance": Bilingual("最少参加场次", "Sessions to attend"),
    # What it asks for.
    "signup_for": Bilingual("报名对象", "Sign-up for"),
    "checks_out": Bilingual("需签退", "Checks out"),
    "tags": Bilingual("标签", "Tags"),
    "for_minors": Bilingual("未成年人课堂", "For minors"),
    "cancel_reason": Bilingual("取消原因", "Reason of the cancellation"),
    "eligibility.org_id": Bilingual("限组织编号", "Only of the organisation (id)"),
    "eligibility.min_age": Bilingual("最小年龄", "Least age"),
    "eligibility.max_age": Bilingual("最大年龄", "Greatest age"),
    "eligibility.tiers": Bilingual("限青享卡等级", "Tiers"),
    "eligibility.minors_need_consent": Bilingual("未成年人须监护人同意", "Minors need consent"),
    "signup_terms.needs_approval": Bilingual("报名须审核", "Sign-ups are approved"),
    "signup_terms.offer_minutes": Bilingual("候补确认时限（分钟）", "Minutes to accept a place"),
    "signup_terms.cancel_until_minutes": Bilingual(
        "开始前多少分钟停止退报", "Cancelled until (minutes before)"
    ),
    "signup_terms.friends": Bilingual("可带人数", "Friends"),
    "signup_terms.no_clash": Bilingual("不可与其他班次重叠", "No other shift at the time"),
    # Where it is, and its picture.
    "location.name": Bilingual("地点", "Place"),
    "latitude": Bilingual("纬度", "Latitude"),
    "longitude": Bilingual("经度", "Longitude"),
    "radius_m": Bilingual("范围（米）", "Radius (m)"),
    "distance_m": Bilingual("距离（米）", "Distance (m)"),
    "cover.id": Bilingual("封面编号", "Cover id"),
    "cover.url": Bilingual("封面", "Cover"),
    "cover.thumbnail_url": Bilingual("封面缩略图", "Thumbnail of the cover"),
    # The part of who exports it.
    "mine.signups": Bilingual("我的报名", "My sign-ups"),
    "mine.signup.id": Bilingual("我的报名编号", "My sign-up (id)"),
    "mine.signup.status": Bilingual("我的报名状态", "State of my sign-up"),
    "mine.signup.session": Bilingual("我报名的场次", "My session"),
    "mine.signup.friends": Bilingual("我带的人数", "My friends"),
    "mine.signup.offer_until": Bilingual("名额确认截止时间", "Offer until (Shanghai)"),
    "mine.signup.position": Bilingual("我的候补位次", "My position"),
    "mine.checked_in_at": Bilingual("我的签到时间", "My check-in (Shanghai)"),
    "mine.may_sign_up": Bilingual("我可报名", "I may sign up"),
    "mine.would_wait": Bilingual("报名后候补", "I would wait"),
    "mine.reason.code": Bilingual("不可报名代码", "Code why not"),
    "mine.reason.msg": Bilingual("不可报名原因", "Why not"),
    # Sessions and shifts.
    "post_id": Bilingual("岗位编号", "Post id"),
    "post_name": Bilingual("岗位", "Post"),
    "activity_title": Bilingual("活动", "Activity"),
    "is_mine": Bilingual("由我发起", "Mine"),
}
VALUES: dict[Any, Any] = activities.VALUES | {
    Category: {one: (name.zh, name.en) for one, name in CATEGORY_NAMES.items()},
}


class ActivitySort(StrEnum):
    """By start, the earliest first; by distance; or by creation, the latest first."""

    start = "start"
    distance = "distance"
    newest = "newest"


class BroughtOut(Out):
    """What attendance brings by the rule of the activity, before the caps of each person."""

    rule_name: Worded = Field(description="Name of the rule, in the language of the request.")
    per: Per = Field(description="What is paid: an hour, a session or a shift.")
    points: int = Field(description="Points for the whole time from start to end.")
    minutes: int = Field(description="Minutes of volunteer service for the whole time.")


class BrowsedActivityOut(ActivityOut):
    """An activity with what a screen shows beside it, and the caller's part."""

    org_name: str = Field(description="Name of the organisation that holds it.")
    category_name: str = Field(description="In the language of the request.")
    brings: BroughtOut | None = Field(
        description="Null if no policy has had its rule, or if it is paid by the time of sessions."
    )
    checkin_opens_at: datetime = Field(description="When check-in opens, in UTC.")
    checkin_closes_at: datetime = Field(description="When check-in closes, in UTC.")
    distance_m: int | None = Field(
        description="Metres from the position of the request; null without one, or without a place."
    )
    mine: OwnPartOut | None = Field(description="The caller's part; null without a login.")


class ContactOut(Out):
    """Whom to ask: the organisation of the activity, or the nearest above with a contact."""

    org_id: OrgId
    org_name: str = Field(description="Name of the organisation.")
    phone: str | None = Field(description="Number to call; null: there is none.")
    note: str | None = Field(description="Whom to ask for, when, where; null: nothing is said.")


class BrowsedActivityDetailOut(BrowsedActivityOut):
    """An activity with whom to ask about it, and what its award needs beside attendance."""

    contact: ContactOut | None = Field(
        description="Whom to ask; null: no organisation above has a contact."
    )
    evidence: list[EvidenceOut] = Field(
        description="What the organizer hands in for the award of each who attended."
    )
