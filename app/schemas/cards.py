"""API schemas of the 青享卡."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.models.cards import CardStatus
from app.schemas.base import Out


class NextTierOut(Out):
    """The next tier, and what is missing for it in the last twelve months."""

    tier: str
    tier_name: Worded
    benefits: list[str]
    points: int = Field(description="Points that it takes in twelve months.")
    minutes: int = Field(description="Minutes of service that it takes in twelve months.")
    points_missing: int
    minutes_missing: int


class AcceptingShopOut(Out):
    """An open shop of a merchant. ``latitude`` and ``longitude``: degrees of GCJ-02."""

    id: UUID
    merchant_id: UUID
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    hours: str | None


class CardOut(Out):
    """``tier`` is computed from the last twelve months: sprout, growth, peak, honour."""

    card_no: str
    tier: str
    tier_name: Worded
    benefits: list[str]
    status: CardStatus
    points_12m: int = Field(description="Points that counted for the tier in twelve months.")
    minutes_12m: int = Field(description="Minutes of service that counted in twelve months.")
    next_tier: NextTierOut | None = Field(description="Null at the highest tier.")
    accepted_at: list[AcceptingShopOut] = Field(
        description="At most 20 open shops, the oldest first; `listShops` has all."
    )


class CardCodeOut(Out):
    """18 digits for a merchant's counter: valid once, until ``expires_at``."""

    code: str
    expires_at: datetime
