"""API schemas of redemptions, of charges at a counter, and of a merchant's statement."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName, Worded
from app.models.redemptions import ChargeStatus, RedemptionStatus
from app.schemas.base import Code, In, MerchantId, OneLine, Out, PersonId, RewardId, Text, example
from app.schemas.proxies import ProxyShownOut

Points = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]

HEADINGS = {
    "reward_id": Bilingual("奖品编号", "Reward id"),
    "reward_name": Bilingual("奖品", "Reward"),
    "pickup_code": Bilingual("领取码", "Pick-up code"),
    "pickup_place": Bilingual("领取地点", "Where to collect"),
    "pickup_hours": Bilingual("领取时间", "When to collect"),
    "expires_at": Bilingual("领取截止时间", "Collect by (Shanghai)"),
    "settled_at": Bilingual("处理时间", "Settled at (Shanghai)"),
    "settled_by": Bilingual("处理人编号", "Settled by (id)"),
    "undo_reason": Bilingual("撤销原因", "Reason of undoing"),
    "undone_at": Bilingual("领取撤销时间", "Collection undone (Shanghai)"),
}
VALUES = {
    RedemptionStatus: {
        RedemptionStatus.reserved: ("已预留", "reserved"),
        RedemptionStatus.collected: ("已领取", "collected"),
        RedemptionStatus.cancelled: ("已取消", "cancelled"),
        RedemptionStatus.expired: ("已过期", "expired"),
    },
    ChargeStatus: {
        ChargeStatus.waiting: ("待确认", "waiting"),
        ChargeStatus.charged: ("已收款", "charged"),
        ChargeStatus.refunded: ("已退款", "refunded"),
        ChargeStatus.refused: ("已拒绝", "refused"),
        ChargeStatus.expired: ("已超时", "expired"),
    },
    "kind": {
        "charge": ("消费", "charge"),
        "refund": ("退款", "refund"),
        "collect": ("领取", "collected"),
        "undo": ("撤销领取", "collection undone"),
    },
}


class RedemptionIn(
    In,
    json_schema_extra=example({"reward_id": "01900000-0000-7003-8000-000000000015", "quantity": 1}),
):
    reward_id: RewardId
    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = Field(
        default=1, description="Pieces."
    )


class RedemptionOut(Out):
    """``pickup_code`` is shown at the merchant's counter until ``expires_at``.

    ``undone_at``: when the counter undid the collection; another reservation took its place.
    """

    id: UUID = Field(description="Id of the redemption.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    merchant_id: MerchantId
    quantity: int = Field(description="Pieces.")
    status: RedemptionStatus = Field(description="State of the redemption.")
    points: int = Field(description="Points for all pieces together.")
    pickup_code: str = Field(description="Code to show at the counter.")
    expires_at: datetime = Field(description="Until when it can be collected, in UTC.")
    created_at: datetime = Field(description="When it was reserved, in UTC.")
    undone_at: datetime | None = Field(
        description="When the counter undid the collection, in UTC; null: it did not."
    )


class RedemptionCaseOut(Out):
    """A redemption as organizers and auditors see it: without its code, the name masked.

    ``settled_at`` and ``settled_by``: when and by whom it was collected, cancelled or ended.
    """

    id: UUID = Field(description="Id of the redemption.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward, in the language of the request.")
    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")
    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person, masked.")
    quantity: int = Field(description="Pieces.")
    points: int = Field(description="Points for all pieces together.")
    status: RedemptionStatus = Field(description="State of the redemption.")
    created_at: datetime = Field(description="When it was reserved, in UTC.")
    expires_at: datetime = Field(description="Until when it can be collected, in UTC.")
    settled_at: datetime | None = Field(
        description="When it was collected, cancelled or ended, in UTC; null: not yet."
    )
    settled_by: UUID | None = Field(
        description="Id of who collected or cancelled it; null: nobody."
    )
    undone_at: datetime | None = Field(
        description="When the counter undid the collection, in UTC; null: it did not."
    )
    undo_reason: str | None = Field(description="Why the collection was undone; null: it was not.")


class CollectionShopOut(Out):
    """An open shop of the merchant. ``latitude`` and ``longitude``: degrees of GCJ-02."""

    id: UUID = Field(description="Id of the shop.")
    name: str = Field(description="Name of the shop.")
    address: str = Field(description="Where it is.")
    latitude: float | None = Field(description="Degrees north, GCJ-02; null: unknown.")
    longitude: float | None = Field(description="Degrees east, GCJ-02; null: unknown.")
    phone: str | None = Field(description="Phone number for customers; null: none.")
    hours: str | None = Field(description="When it is open, in words; null: unknown.")


class MyRedemptionOut(RedemptionOut):
    """A redemption of the caller, and where it is collected."""

    merchant_name: str = Field(description="Name of the merchant.")
    pickup_place: str | None = Field(description="Where to collect it; null: not said.")
    pickup_hours: str | None = Field(description="When to collect it, in words; null: not said.")


class MyRedemptionPlaceOut(MyRedemptionOut):
    """The same with the merchant's shops."""

    shops: list[CollectionShopOut] = Field(
        description="Open shops of the merchant, at most 5 for each, the oldest first."
    )


class CollectIn(In, json_schema_extra=example({"pickup_code": "7K3M-9QX2-B4"})):
    pickup_code: Annotated[str, Code(32)] = Field(description="The code that the person shows.")


class CollectedOut(Out):
    """What the counter hands over, and to whom (masked)."""

    id: UUID = Field(description="Id of the redemption.")
    reward_id: RewardId
    quantity: int = Field(description="Pieces.")
    status: RedemptionStatus = Field(description="State of the redemption.")
    points: int = Field(description="Points for all pieces together.")
    person: "PayerOut" = Field(description="Whose reservation it is.")
    proxy: ProxyShownOut | None = Field(description="Who collects it instead; null: the owner.")


class UndoIn(In, json_schema_extra=example({"reason": "扫错了人"})):
    reason: Annotated[str, OneLine(100)] = Field(description="Why. It stands in the audit trail.")


class UndoneOut(Out):
    """``replaced_by``: the reservation that now holds the points and the goods."""

    id: UUID = Field(description="Id of the redemption that was undone.")
    replaced_by: UUID = Field(
        description="Id of the reservation that now holds the points and the goods."
    )
    reward_id: RewardId
    quantity: int = Field(description="Pieces.")
    points: int = Field(description="Points for all pieces together.")
    person: "PayerOut" = Field(description="Whose reservation it is.")
    undone_at: datetime = Field(description="When, in UTC.")


class ChargeIn(
    In,
    json_schema_extra=example({"card_code": "482913057716204839", "points": 9, "note": "美式咖啡"}),
):
    """``card_code``: the 18 digits currently shown by the card."""

    card_code: Annotated[str, Code(64)] = Field(
        description="The 18 digits that the card shows now."
    )
    points: Points = Field(description="Points to charge.")
    note: Annotated[Text, Field(max_length=100)] = Field(
        default="", description="What was bought; shown in the passbook and the statement."
    )


class PayerOut(Out):
    """The payer's name, masked: a counter need not know it."""

    display_name: PersonName = Field(description="The person's name, masked.")


class ChargeOut(Out):
    """``points``: what was charged; ``points_refunded`` of them went back.

    ``waiting``: the points are held until the payer confirms, refuses or lets pass ``expires_at``.
    """

    id: UUID = Field(description="Id of the charge.")
    points: int = Field(description="Points that were charged.")
    status: ChargeStatus = Field(description="State of the charge.")
    person: PayerOut = Field(description="Who paid.")
    balance_after: int = Field(description="Points that the person can spend afterwards.")
    created_at: datetime = Field(description="When it was charged, in UTC.")
    points_refunded: int = Field(default=0, description="Points of it that went back.")
    expires_at: datetime | None = Field(
        default=None,
        description="Until when the payer can confirm it, in UTC; null: no need to.",
    )


class RefundIn(In, json_schema_extra=example({"reason": "退一杯", "points": 9})):
    """``points``: by default all that was not refunded yet."""

    reason: Annotated[str, OneLine(100)] = Field(
        description="Why. The person reads it; it stands in the audit trail."
    )
    points: Points | None = Field(
        default=None, description="Points to give back; null: all that were not given back yet."
    )


class StatementItemOut(Out):
    """``points`` counts for the merchant: a refund and an undone collection are negative.

    ``id``: of the charge or the redemption; of a refund in part its own.
    """

    kind: Literal["charge", "refund", "collect", "undo"] = Field(description="What it is.")
    id: UUID = Field(
        description="Id of the charge or the redemption; a refund in part has its own."
    )
    points: int = Field(
        description="Points for the merchant; negative: a refund, an undone collection."
    )
    person: PayerOut = Field(description="Who paid or collected.")
    note: str = Field(description="The charge's note, or the reward's name.")
    at: datetime = Field(description="When, in UTC.")


class StatementOut(Out):
    """``net`` = charged - refunded + collected - undone, from ``since`` to ``until`` inclusive.

    At most the latest 1,000 items are listed. ``month``: the one that was asked for.
    """

    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")
    month: str | None = Field(
        description="The month that was asked for: `2026-11`; null: days were."
    )
    since: date = Field(description="The first day, in Asia/Shanghai.")
    until: date = Field(description="The last day, included.")
    charged: int = Field(description="Points charged at the counter.")
    refunded: int = Field(description="Points of refunds, as a positive number.")
    collected: int = Field(description="Points of collected rewards.")
    undone: int = Field(description="Points of undone collections, as a positive number.")
    net: int = Field(description="Points: charged - refunded + collected - undone.")
    items: list[StatementItemOut] = Field(description="The latest 1,000, newest first.")
    truncated: bool = Field(description="True: there are more than are listed; the sums count all.")
