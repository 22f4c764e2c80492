"""Wire shapes of a counter: previews, and today's list."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from app.core.language import Worded
from app.schemas.base import Code, In, Out
from app.schemas.notify import words
from app.schemas.redemptions import PayerOut, Points, StatementItemOut

NOTICES = {
    "counter_collection_undone": words(
        ("领取已撤销", "Collection undone"),
        "「{reward}」×{quantity:n}（{points:n} 积分）的领取已撤销，请凭新领取码于 {expires_at:time}"
        " 前领取。",
        "The collection of “{reward}” × {quantity:n} ({points:n point}) was undone."
        " Collect it with the new code by {expires_at:time}.",
    ),
}


class CollectionPreviewOut(Out):
    """What would be handed over, and to whom (masked)."""

    id: UUID
    reward_id: UUID
    reward_name: Worded
    quantity: int
    points: int
    person: PayerOut
    expires_at: datetime


class ChargePreviewIn(In):
    """``card_code``: the 18 digits currently shown by the card."""

    card_code: Annotated[str, Code(64)]
    points: Points


class ChargePreviewOut(Out):
    """Whose card would be charged (masked); ``expires_at``: until when its code is valid."""

    points: int
    person: PayerOut
    expires_at: datetime


class TodayItemOut(StatementItemOut):
    """``undo_until``: until when this collection can be undone; null if not, or not any more."""

    undo_until: datetime | None


class TodayOut(Out):
    """Takings of ``day`` (Asia/Shanghai) so far, and the latest 100 items, newest first."""

    merchant_id: UUID
    merchant_name: str
    day: date
    charged: int
    refunded: int
    collected: int
    undone: int
    net: int
    items: list[TodayItemOut]
    truncated: bool
