"""Wire shapes of redemption days: their content, orders, hand-overs and reconciliation."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, PersonName, Worded
from app.core.validation_messages import wrong
from app.models.redemption_days import (
    MOST_COUNTERS,
    MOST_ITEMS,
    MOST_SLOTS,
    DayState,
)
from app.schemas.base import (
    STREET,
    Id,
    In,
    MerchantId,
    Moment,
    OneLine,
    OrgId,
    Out,
    PersonId,
    PublicRecordOut,
    ReasonOut,
    RewardId,
    Version,
    example,
)
from app.schemas.day_orders import OwnDayOrderOut, SubstituteOut
from app.schemas.notify import words

HEADINGS = {
    "place": Bilingual("地点", "Place"),
    "opens_at": Bilingual("预约开始时间", "Orders from (Shanghai)"),
    "closes_at": Bilingual("预约截止时间", "Orders until (Shanghai)"),
    "walk_ins_at": Bilingual("现场兑换开始时间", "Walk-ins from (Shanghai)"),
    "limit_per_person": Bilingual("每人限量", "Limit per person"),
    "offline_until": Bilingual("离线上传截止时间", "Offline until (Shanghai)"),
}


VALUES = {
    DayState: {
        DayState.draft: ("草稿", "draft"),
        DayState.published: ("已发布", "published"),
        DayState.closed: ("已结账", "closed"),
    },
}
NOTICES = {
    "redemption_day_reserved": words(
        ("集中兑换预约成功", "Reserved for the redemption day"),
        "「{title}」已预约「{reward}」×{quantity:n}，共 {points:n} 积分，请于 {from_at:time} 起到"
        " {place} 领取，逾期退还积分。",
        "“{reward}” × {quantity:n} reserved for “{title}”: {points:n point}. Collect it from"
        " {from_at:time} on at {place}; what is not collected is released.",
    ),
    "redemption_day_tomorrow": words(
        ("明日集中兑换", "Redemption day tomorrow"),
        "「{title}」明日 {from_at:time} 开始领取，地点：{place}。",
        "“{title}”: collect your order from {from_at:time} on, at {place}.",
    ),
    "redemption_day_skipped": words(
        ("下一场集中兑换不可预约", "The next redemption day is skipped"),
        "您已 {count:n} 场集中兑换预约后未领取，「{title}」之后的一场不能预约。",
        "You missed {count:n redemption day}: the one after “{title}” cannot be reserved.",
    ),
    "day_substitute_proposed": words(
        ("换货待确认", "A substitute for your order"),
        "「{title}」：「{before}」拟换为「{reward}」（{points:n} 积分），差额退还，请确认。",
        "“{title}”: “{before}” would be replaced by “{reward}” ({points:n point}); the difference"
        " is returned. Please accept or decline.",
    ),
}
OFFLINE_DAYS = timedelta(days=7)  # as old as a signed event may be
Limit = Annotated[int, Field(ge=1, le=1_000, strict=True)]
_CONTENT: dict[str, Any] = {
    "merchant_id": "01900000-0000-7002-8000-000000000002",
    "title": "三茅街道第三季度集中兑换",
    "place": "三茅青年之家一楼",
    "opens_at": "2028-09-01T08:00:00+08:00",
    "closes_at": "2028-09-20T20:00:00+08:00",
    "starts_at": "2028-09-23T09:00:00+08:00",
    "walk_ins_at": "2028-09-23T16:00:00+08:00",
    "ends_at": "2028-09-23T17:00:00+08:00",
    "limit_per_person": 5,
    "items": [
        {
            "reward_id": "01900000-0000-7003-8000-000000000001",
            "shelf": "A1",
            "stock": 50,
            "limit_per_person": 2,
        }
    ],
    "slots": [
        {
            "starts_at": "2028-09-23T09:00:00+08:00",
            "ends_at": "2028-09-23T12:00:00+08:00",
            "capacity": 120,
        }
    ],
    "counters": ["一号柜台", "二号柜台"],
}


class DayItemIn(In):
    """What is on a shelf. Its price is the reward's when the day is published."""

    reward_id: RewardId
    shelf: Annotated[str, OneLine(20)] = Field(description="Where it stands.")
    stock: Annotated[int, Field(ge=0, le=100_000, strict=True)] = Field(description="Pieces.")
    limit_per_person: Limit | None = Field(
        default=None, description="Pieces that one person may have; null: no such limit."
    )


class DaySlotIn(In):
    starts_at: Moment = Field(description="When it begins, with its offset from UTC.")
    ends_at: Moment = Field(description="When it ends, with its offset from UTC.")
    capacity: Annotated[int, Field(ge=1, le=10_000, strict=True)] = Field(
        description="How many people may come."
    )


class RedemptionDayEditIn(In, json_schema_extra=example(_CONTENT)):
    """The content of a day. Without slots people come when they like."""

    merchant_id: MerchantId = Field(description="Whose staff hands over: of the organisation.")
    title: Annotated[str, OneLine(80)] = Field(description="What the day is called.")
    place: Annotated[str, OneLine(100)] = Field(description="Where it is.")
    opens_at: Moment = Field(description="From when it can be reserved.")
    closes_at: Moment = Field(description="Until when it can be reserved.")
    starts_at: Moment = Field(description="From when it is handed over.")
    walk_ins_at: Moment = Field(
        description="Until when orders are collected; from then on what is left is for walk-ins."
    )
    ends_at: Moment = Field(description="When the counters close.")
    limit_per_person: Limit | None = Field(
        default=None, description="Pieces of all items that one person may have; null: no limit."
    )
    offline_until: Moment | None = Field(
        default=None,
        description="Until when counters without network may upload their hand-overs: orders end"
        " only then, at most 7 days after the end; null: counters have network.",
    )
    items: Annotated[list[DayItemIn], Field(min_length=1, max_length=MOST_ITEMS)] = Field(
        description="What can be had."
    )
    slots: Annotated[list[DaySlotIn], Field(max_length=MOST_SLOTS)] = Field(
        default=[], description="Times in which people may come; none: any time."
    )
    counters: Annotated[
        list[Annotated[str, OneLine(40)]], Field(min_length=1, max_length=MOST_COUNTERS)
    ] = Field(description="Names of the counters.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        window = self.opens_at < self.closes_at <= self.walk_ins_at
        if not (window and self.starts_at < self.walk_ins_at <= self.ends_at):
            raise wrong(
                "时间顺序应为：预约开始、预约截止、现场兑换开始、结束；领取早于现场兑换",
                "opens_at < closes_at <= walk_ins_at and starts_at < walk_ins_at <= ends_at",
            )
        if self.offline_until is not None and not (
            self.ends_at <= self.offline_until <= self.ends_at + OFFLINE_DAYS
        ):
            raise wrong(
                "离线上传截止应在结束后 7 天之内", "offline_until lies within 7 days of ends_at"
            )
        if any(
            not self.starts_at <= one.starts_at < one.ends_at <= self.walk_ins_at
            for one in self.slots
        ):
            raise wrong("时段应在领取时间之内", "a slot lies between starts_at and walk_ins_at")
        rewards = [one.reward_id for one in self.items]
        if len({*rewards}) < len(rewards) or len({*self.counters}) < len(self.counters):
            raise wrong("奖品或柜台重复", "each reward and each counter stands once")
        return self


class RedemptionDayIn(
    RedemptionDayEditIn, json_schema_extra=example({"org_id": STREET} | _CONTENT)
):
    org_id: OrgId


class DayItemOut(Out):
    id: UUID = Field(description="Id of the item.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    shelf: str = Field(description="Where it stands.")
    points: int = Field(description="Points for one piece, fixed at the publication.")
    stock: int = Field(description="Pieces that the day began with.")
    stock_left: int = Field(description="Pieces that can still be reserved.")
    limit_per_person: int | None = Field(
        description="Pieces that one person may have; null: no limit."
    )


class DaySlotOut(Out):
    id: UUID = Field(description="Id of the slot.")
    starts_at: datetime = Field(description="When it begins, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")
    capacity: int = Field(description="How many people may come.")
    places_left: int = Field(description="How many places are left.")


class DayCounterOut(Out):
    id: UUID = Field(description="Id of the counter.")
    name: str = Field(description="What it is called.")


class OwnDayOut(Out):
    """What the day is to the caller."""

    reason: ReasonOut | None = Field(
        description="Why nothing can be reserved now; null: it can, as far as stock and points go."
    )
    orders: list[OwnDayOrderOut] = Field(description="The caller's orders, newest first.")
    substitutions: list[SubstituteOut] = Field(description="Substitutes that wait for an answer.")


class RedemptionDayOut(PublicRecordOut):
    """``version`` is what ``If-Match`` of an edit names."""

    merchant_id: MerchantId
    title: str = Field(description="What the day is called.")
    place: str = Field(description="Where it is.")
    opens_at: datetime = Field(description="From when it can be reserved, in UTC.")
    closes_at: datetime = Field(description="Until when it can be reserved, in UTC.")
    starts_at: datetime = Field(description="From when it is handed over, in UTC.")
    walk_ins_at: datetime = Field(description="When orders end and walk-ins begin, in UTC.")
    ends_at: datetime = Field(description="When the counters close, in UTC.")
    limit_per_person: int | None = Field(
        description="Pieces of all items that one person may have; null: no limit."
    )
    offline_until: datetime | None = Field(
        description="Until when counters without network upload, in UTC; null: they have network."
    )
    state: DayState = Field(description="State of the day.")
    version: Version
    closed_at: datetime | None = Field(description="When its accounts were closed; null: not yet.")


class RedemptionDayDetailOut(RedemptionDayOut):
    items: list[DayItemOut] = Field(description="What can be had, by shelf.")
    slots: list[DaySlotOut] = Field(description="Times in which people may come.")
    counters: list[DayCounterOut] = Field(description="Its counters.")
    mine: OwnDayOut | None = Field(description="The caller's part; null without a login.")


class DayMovementIn(In, json_schema_extra=example({"quantity": -2, "reason": "运输破损"})):
    quantity: Annotated[int, Field(ge=-100_000, le=100_000, strict=True)] = Field(
        description="Pieces that came, or with a minus were lost or taken away. Never 0."
    )
    reason: Annotated[str, OneLine(200)] = Field(description="Why.")


class DayMovedOut(Out):
    id: UUID = Field(description="Id of the movement.")
    item_id: UUID = Field(description="Id of the item.")
    quantity: int = Field(description="Pieces that came, or went.")
    reason: str = Field(description="Why.")
    before: int = Field(description="Pieces that were left before it.")
    after: int = Field(description="Pieces that are left.")


class StewardOfDayIn(
    In,
    json_schema_extra=example(
        {"counter_id": "01900000-0000-7000-8000-000000000001", "card_no": "QX-1000-0009-6"}
    ),
):
    counter_id: Id = Field(description="Id of the counter.")
    card_no: Annotated[str, OneLine(40)] = Field(description="Number of the person's card.")


class StewardOfDayOut(Out):
    id: UUID = Field(description="Id of the appointment.")
    counter_id: UUID = Field(description="Id of the counter.")
    person_id: PersonId
    display_name: PersonName = Field(description="The person's name.")
