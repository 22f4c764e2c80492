"""Titles and texts of all kinds of notices, in both languages.

Kinds of a single noun may be in ``NOTICES`` of its schema module. When a fact is added to a
text, its callers must send it; older notices show a dash in its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from app import schemas
from app.core.discovery import declared
from app.core.language import Bilingual
from app.core.wording import Template
from app.models.notices import NoticeKind


@dataclass(frozen=True, slots=True)
class Words:
    """``merges``: unread notices about one subject are merged, adding up their ``count``."""

    title: Bilingual
    text: Template
    merges: bool = False


# Shown for a kind without texts here: written by another version of the service.
OTHER_KIND, OTHER = "other", Bilingual("通知", "Notice")


def words(title: tuple[str, str], zh: str, en: str, *, merges: bool = False) -> Words:
    """Build a table row: title, and templates of the text, in Chinese and English."""
    made = Words(Bilingual(*title), Template(Bilingual(zh, en)), merges)
    assert made.text.facts.get("count") is int or not merges, "what merges is counted"
    return made


_SHARED: dict[str, Words] = {
    NoticeKind.award_paid: words(
        ("积分到账", "Points credited"),
        "「{title}」的 {points:n} 积分已到账。",
        "{points:n point} credited for “{title}”.",
    ),
    NoticeKind.award_approved: words(
        ("积分审核通过", "Award approved"),
        "「{title}」的 {points:n} 积分已通过审核，如无异议将于 {available_at:time} 到账。",
        "“{title}” was approved: {points:n point}, credited on {available_at:time}"
        " unless somebody objects.",
    ),
    NoticeKind.award_without_points: words(
        ("审核通过", "Award approved"),
        "「{title}」已通过审核，{capped:按积分上限不计积分|该项不计积分}"
        "{has_hours:，服务时长照计|}。",
        "“{title}” was approved: {capped:the caps left no points|it gives no points}"
        "{has_hours:, its hours count|}.",
    ),
    NoticeKind.award_rejected: words(
        ("积分未通过", "Award rejected"),
        "「{title}」的 {points:n} 积分不予发放：{reason}",
        "“{title}” ({points:n point}) was rejected: {reason}",
    ),
    NoticeKind.award_reversed: words(
        ("积分冲正", "Award reversed"),
        "「{title}」的 {points:n} 积分已冲正：{reason}",
        "“{title}” ({points:n point}) was reversed: {reason}",
    ),
    NoticeKind.public_notice_over: words(
        ("公示期满", "Public notice over"),
        "「{title}」公示期满，{points:n} 积分已到账。",
        "The public notice of “{title}” is over: {points:n point} credited.",
    ),
    NoticeKind.objection_decided: words(
        ("异议处理结果", "Objection decided"),
        "您对「{title}」的异议{upheld:成立|不成立}：{reason}",
        "Your objection to “{title}” was {upheld:upheld|dismissed}: {reason}",
    ),
    NoticeKind.objection_ended: words(
        ("异议终止", "Objection ended"),
        "「{title}」已不予发放或已冲正，您的异议不再处理。",
        "“{title}” was rejected or reversed, so your objection will not be decided.",
    ),
    NoticeKind.points_charged: words(
        ("积分消费", "Points spent"),
        "在{merchant}消费 {points:n} 积分，余额 {balance:n} 积分。",
        "{points:n point} spent at {merchant}, {balance:n point} left.",
    ),
    NoticeKind.points_refunded: words(
        ("积分退款", "Points refunded"),
        "{merchant}退还 {points:n} 积分：{reason}",
        "{merchant} refunded {points:n point}: {reason}",
    ),
    NoticeKind.points_deducted: words(
        ("积分扣除", "Points deducted"),
        "因「{title}」扣 {points:n} 积分，{appeal_until:time} 前可以申诉。",
        "{points:n point} deducted for “{title}”. You may appeal until {appeal_until:time}.",
    ),
    NoticeKind.points_expiring: words(
        ("积分即将到期", "Points expire soon"),
        "您有 {points:n} 积分将于 {last_day:day} 到期，请及时兑换。",
        "{points:n point} can be spent until {last_day:day}, then expire.",
    ),
    NoticeKind.appeal_decided: words(
        ("申诉处理结果", "Appeal decided"),
        "您对「{title}」扣分的申诉{granted:成立，扣分已撤销|不成立}：{reason}",
        "Your appeal against the deduction for “{title}” was"
        " {granted:granted, and the deduction revoked|denied}: {reason}",
    ),
    NoticeKind.redemption_reserved: words(
        ("兑换已预留", "Reward reserved"),
        "已预留「{reward}」×{quantity:n}，{points:n} 积分，请于 {expires_at:time} 前领取。",
        "“{reward}” × {quantity:n} reserved for {points:n point}. Collect by {expires_at:time}.",
    ),
    NoticeKind.redemption_cancelled: words(
        ("兑换已取消", "Reservation cancelled"),
        "「{reward}」×{quantity:n} 的兑换已取消，{points:n} 积分已退回。",
        "The reservation of “{reward}” × {quantity:n} was cancelled, {points:n point} returned.",
    ),
    NoticeKind.redemption_expired: words(
        ("兑换已过期", "Reservation expired"),
        "「{reward}」×{quantity:n} 未按时领取，{points:n} 积分已退回。",
        "“{reward}” × {quantity:n} was not collected in time, {points:n point} returned.",
    ),
    NoticeKind.promoted: words(
        ("候补成功", "You have a place"),
        "候补成功：您已获得「{title}」的名额，{starts_at:time} 开始。",
        "From the waiting list you got a place at “{title}”, which starts {starts_at:time}.",
    ),
    NoticeKind.activity_tomorrow: words(
        ("明日活动", "Activity tomorrow"),
        "您报名的「{title}」将于 {starts_at:time} 开始。",
        "“{title}”, which you signed up to, starts {starts_at:time}.",
    ),
    NoticeKind.activity_changed: words(
        ("活动变更", "Activity changed"),
        "您报名的「{title}」有变更，{retimed:新时间：|时间不变：}{starts_at:time} 至 "
        "{ends_at:time}，{relocated:新地点：|地点不变：}{place}。",
        "“{title}”, which you signed up to, was changed. {retimed:New time|Time as before}:"
        " {starts_at:time} to {ends_at:time}; {relocated:new place|place as before}: {place}.",
    ),
    NoticeKind.activity_cancelled: words(
        ("活动取消", "Activity cancelled"),
        "您报名的「{title}」（{starts_at:time}）已取消：{reason}",
        "“{title}” ({starts_at:time}), which you signed up to, was cancelled: {reason}",
    ),
    NoticeKind.proposals_waiting: words(
        ("积分待审核", "Awards to review"),
        "{org}新收到 {count:n} 项积分申报，请审核。",
        "{count:n new award} to review at {org}.",
        merges=True,
    ),
    NoticeKind.objections_waiting: words(
        ("异议待处理", "Objections to decide"),
        "{org}新收到 {count:n} 项公示异议，请处理。",
        "{count:n new objection} to decide at {org}.",
        merges=True,
    ),
    NoticeKind.appeals_waiting: words(
        ("申诉待处理", "Appeals to decide"),
        "{org}新收到 {count:n} 项扣分申诉，请处理。",
        "{count:n new appeal} to decide at {org}.",
        merges=True,
    ),
}


@cache
def kinds() -> Mapping[str, Words]:
    """Return all kinds: those above and those of the schema modules."""
    found = dict(_SHARED)
    for own in declared(schemas, "NOTICES"):
        assert not own.keys() & found.keys(), f"kinds of two nouns: {own.keys() & found.keys()}"
        found |= own
    return found
