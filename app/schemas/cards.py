"""API schemas of the 青享卡."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.models.cards import CardStatus
from app.schemas.base import MerchantId, Out
from app.schemas.notify import words
from app.schemas.policies.documents import Tier

VALUES = {
    CardStatus: {
        CardStatus.active: ("正常", "active"),
        CardStatus.frozen: ("持卡人冻结", "frozen by its holder"),
        CardStatus.lost: ("已挂失", "reported as lost"),
        CardStatus.suspended: ("已停用", "suspended"),
    },
}
NOTICES = {
    "tier_raised": words(
        ("青享卡升级", "Your card went up"),
        "您的青享卡等级现为「{title}」。",
        "Your card now has the tier “{title}”.",
    ),
    "tier_in_grace": words(
        ("青享卡等级保留中", "Your card's tier is kept for now"),
        "近十二个月的积分或服务时长已低于「{title}」的要求，该等级保留至 {until:time}，"
        "届时仍未达到将降一级。",
        "Less was earned in twelve months than “{title}” asks for. The tier is kept until"
        " {until:time}, then the card goes down by one.",
    ),
    "tier_lowered": words(
        ("青享卡降级", "Your card went down"),
        "您的青享卡等级已调整为「{title}」。",
        "Your card's tier is now “{title}”.",
    ),
}


class TierMissingOut(Out):
    """What is missing of a tier's requirements in the last twelve months."""

    points_missing: int = Field(description="Points that are missing for it.")
    minutes_missing: int = Field(description="Minutes of service that are missing for it.")

    @classmethod
    def of(cls, tier: Tier, points: int, minutes: int) -> Self:
        return cls(
            points_missing=max(tier.points_12m - points, 0),
            minutes_missing=max(tier.hours_12m * 60 - minutes, 0),
        )


class NextTierOut(TierMissingOut):
    """The next tier, and what is missing for it in the last twelve months."""

    tier: str = Field(description="Key of the tier.")
    tier_name: Worded = Field(description="Name of the tier, in the language of the request.")
    benefits: list[str] = Field(description="What it gives, a line each.")
    points: int = Field(description="Points that it takes in twelve months.")
    minutes: int = Field(description="Minutes of service that it takes in twelve months.")


class AcceptingShopOut(Out):
    """An open shop of a merchant. ``latitude`` and ``longitude``: degrees of GCJ-02."""

    id: UUID = Field(description="Id of the shop.")
    merchant_id: MerchantId
    name: str = Field(description="Name of the shop.")
    address: str = Field(description="Where it is.")
    latitude: float | None = Field(description="Degrees north, GCJ-02; null: unknown.")
    longitude: float | None = Field(description="Degrees east, GCJ-02; null: unknown.")
    hours: str | None = Field(description="When it is open, in words; null: unknown.")


class CardOut(Out):
    """A card. ``tier`` is what twelve months earned, or what is kept in grace."""

    card_no: str = Field(
        description="Number of the card: 13 digits; of a lost card the number that ended."
    )
    tier: str = Field(description="Key of the tier, such as `sprout`.")
    tier_name: Worded = Field(description="Name of the tier, in the language of the request.")
    tier_since: datetime | None = Field(
        description="Since when, in UTC; null at the lowest tier, and for some hours after it rose."
    )
    grace_until: datetime | None = Field(
        description="Until when the tier is kept though less was earned; null: enough was."
    )
    missing: TierMissingOut | None = Field(
        description="In grace: what would keep the tier; else null."
    )
    benefits: list[str] = Field(description="What the tier gives, a line each.")
    status: CardStatus = Field(description="State of the card.")
    points_12m: int = Field(description="Points that counted for the tier in twelve months.")
    minutes_12m: int = Field(description="Minutes of service that counted in twelve months.")
    next_tier: NextTierOut | None = Field(description="Null at the highest tier.")
    accepted_at: list[AcceptingShopOut] = Field(
        description="At most 20 open shops, the oldest first; `listShops` has all."
    )


class CardCodeOut(Out):
    """18 digits for a merchant's counter: valid once, until ``expires_at``."""

    code: str = Field(description="18 digits for a merchant's counter, valid once.")
    valid_from: datetime = Field(description="From when on the code is accepted, in UTC.")
    expires_at: datetime = Field(description="Until when the code is accepted, in UTC.")


class CardCodesOut(Out):
    """Codes for the minutes to come, by when they are good: each for a minute, and once."""

    items: list[CardCodeOut] = Field(
        description="The first is good now. Freezing or losing the card ends them all."
    )
