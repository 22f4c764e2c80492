"""Wire shapes of a counter: previews, and today's list."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Worded
from app.schemas.base import Code, In, MerchantId, Out, RewardId, example
from app.schemas.notify import words
from app.schemas.proxies import ProxyShownOut
from app.schemas.redemptions import PayerOut, Points, StatementItemOut

NOTICES = {
    "code_lock_begun": words(
        ("付款码错误过多", "Too many wrong card codes"),
        "「{title}」十分钟内输入了 {count:n} 个错误的付款码，已暂停扫码至 {until:time}。",
        "{count:n wrong card code} entered at {title} within ten minutes: it charges no cards until"
        " {until:time}.",
    ),
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

    id: UUID = Field(description="Id of the redemption.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    quantity: int = Field(description="Pieces.")
    points: int = Field(description="Points for all pieces together.")
    person: PayerOut = Field(description="Whose reservation it is.")
    proxy: ProxyShownOut | None = Field(description="Who collects it instead; null: the owner.")
    expires_at: datetime = Field(description="Until when it can be collected, in UTC.")


class ChargePreviewIn(
    In, json_schema_extra=example({"card_code": "482913057716204839", "points": 9})
):
    """``card_code``: the 18 digits currently shown by the card."""

    card_code: Annotated[str, Code(64)] = Field(
        description="The 18 digits that the card shows now."
    )
    points: Points = Field(description="Points to be charged.")


class ChargePreviewOut(Out):
    """Whose card would be charged (masked); ``expires_at``: until when its code is valid."""

    points: int = Field(description="Points that would be charged.")
    person: PayerOut = Field(description="Whose card it is.")
    expires_at: datetime = Field(description="Until when the card's code is accepted, in UTC.")


class TodayItemOut(StatementItemOut):
    """``undo_until``: until when this collection can be undone; null if not, or not any more."""

    undo_until: datetime | None = Field(
        description="Until when this collection can be undone; null: it cannot be."
    )


class TodayOut(Out):
    """Takings of ``day`` (Asia/Shanghai) so far, and the latest 100 items, newest first."""

    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")
    day: date = Field(description="Today, in Asia/Shanghai.")
    charged: int = Field(description="Points charged at the counter today.")
    refunded: int = Field(description="Points of refunds today, as a positive number.")
    collected: int = Field(description="Points of collected rewards today.")
    undone: int = Field(description="Points of undone collections today, as a positive number.")
    net: int = Field(description="Points: charged - refunded + collected - undone.")
    items: list[TodayItemOut] = Field(description="The latest 100, newest first.")
    truncated: bool = Field(description="True: there are more than are listed.")
