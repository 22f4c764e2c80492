"""Wire shapes of redemptions, of charges at a counter, and of a merchant's statement."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import Id, In, OneLine, Out, Text

Points = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]


class RedemptionIn(In):
    reward_id: Id
    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = 1


class RedemptionOut(Out):
    """``pickup_code`` is shown at the merchant's counter until ``expires_at``."""

    id: UUID
    reward_id: UUID
    reward_name: str
    merchant_id: UUID
    quantity: int
    status: str
    points: int
    pickup_code: str
    expires_at: datetime
    created_at: datetime


class CollectIn(In):
    pickup_code: Annotated[Text, Field(min_length=1, max_length=32)]


class CollectedOut(Out):
    """What the counter hands over, and to whom (masked)."""

    id: UUID
    reward_id: UUID
    quantity: int
    status: str
    points: int
    person: "PayerOut"


class ChargeIn(In):
    """``card_code``: the 18 digits that the card shows now."""

    card_code: Annotated[Text, Field(min_length=1, max_length=32)]
    points: Points
    note: Annotated[Text, Field(max_length=100)] = ""


class PayerOut(Out):
    """The name is masked: a counter need not know it."""

    display_name: str


class ChargeOut(Out):
    id: UUID
    points: int
    status: str
    person: PayerOut
    balance_after: int
    created_at: datetime


class RefundIn(In):
    reason: Annotated[str, OneLine(100)]


class StatementItemOut(Out):
    """``points`` counts for the merchant: a refund is negative."""

    kind: Literal["charge", "refund", "collect"]
    id: UUID
    points: int
    person: PayerOut
    note: str
    at: datetime


class StatementOut(Out):
    """``net`` = charged - refunded + collected. At most the latest 1,000 items are listed."""

    merchant_id: UUID
    merchant_name: str
    month: str
    charged: int
    refunded: int
    collected: int
    net: int
    items: list[StatementItemOut]
    truncated: bool
