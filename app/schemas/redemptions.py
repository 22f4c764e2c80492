"""API schemas of redemptions, of charges at a counter, and of a merchant's statement."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.redemptions import ChargeStatus, RedemptionStatus
from app.schemas.base import Code, Id, In, OneLine, Out, Text

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
        ChargeStatus.charged: ("已收款", "charged"),
        ChargeStatus.refunded: ("已退款", "refunded"),
    },
    "kind": {
        "charge": ("消费", "charge"),
        "refund": ("退款", "refund"),
        "collect": ("领取", "collected"),
        "undo": ("撤销领取", "collection undone"),
    },
}


class RedemptionIn(In):
    reward_id: Id
    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = 1


class RedemptionOut(Out):
    """``pickup_code`` is shown at the merchant's counter until ``expires_at``.

    ``undone_at``: when the counter undid the collection; another reservation took its place.
    """

    id: UUID
    reward_id: UUID
    reward_name: str
    merchant_id: UUID
    quantity: int
    status: RedemptionStatus
    points: int
    pickup_code: str
    expires_at: datetime
    created_at: datetime
    undone_at: datetime | None


class RedemptionCaseOut(Out):
    """A redemption as organizers and auditors see it: without its code, the name masked.

    ``settled_at`` and ``settled_by``: when and by whom it was collected, cancelled or ended.
    """

    id: UUID
    reward_id: UUID
    reward_name: str
    merchant_id: UUID
    merchant_name: str
    person_id: UUID
    display_name: str
    quantity: int
    points: int
    status: RedemptionStatus
    created_at: datetime
    expires_at: datetime
    settled_at: datetime | None
    settled_by: UUID | None
    undone_at: datetime | None
    undo_reason: str | None


class CollectionShopOut(Out):
    """An open shop of the merchant. ``latitude`` and ``longitude``: degrees of GCJ-02."""

    id: UUID
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    phone: str | None
    hours: str | None


class MyRedemptionOut(RedemptionOut):
    """A redemption of the caller, and where it is collected."""

    merchant_name: str
    pickup_place: str | None
    pickup_hours: str | None


class MyRedemptionPlaceOut(MyRedemptionOut):
    """The same with the merchant's shops."""

    shops: list[CollectionShopOut] = Field(
        description="Open shops of the merchant, at most 5 for each, the oldest first."
    )


class CollectIn(In):
    pickup_code: Annotated[str, Code(32)]


class CollectedOut(Out):
    """What the counter hands over, and to whom (masked)."""

    id: UUID
    reward_id: UUID
    quantity: int
    status: str
    points: int
    person: "PayerOut"


class UndoIn(In):
    reason: Annotated[str, OneLine(100)]


class UndoneOut(Out):
    """``replaced_by``: the reservation that now holds the points and the goods."""

    id: UUID
    replaced_by: UUID
    reward_id: UUID
    quantity: int
    points: int
    person: "PayerOut"
    undone_at: datetime


class ChargeIn(In):
    """``card_code``: the 18 digits currently shown by the card."""

    card_code: Annotated[str, Code(64)]
    points: Points
    note: Annotated[Text, Field(max_length=100)] = ""


class PayerOut(Out):
    """The payer's name, masked: a counter need not know it."""

    display_name: str


class ChargeOut(Out):
    """``points``: what was charged; ``points_refunded`` of them went back."""

    id: UUID
    points: int
    status: str
    person: PayerOut
    balance_after: int
    created_at: datetime
    points_refunded: int = 0


class RefundIn(In):
    """``points``: by default all that was not refunded yet."""

    reason: Annotated[str, OneLine(100)]
    points: Points | None = None


class StatementItemOut(Out):
    """``points`` counts for the merchant: a refund and an undone collection are negative.

    ``id``: of the charge or the redemption; of a refund in part its own.
    """

    kind: Literal["charge", "refund", "collect", "undo"]
    id: UUID
    points: int
    person: PayerOut
    note: str
    at: datetime


class StatementOut(Out):
    """``net`` = charged - refunded + collected - undone, from ``since`` to ``until`` inclusive.

    At most the latest 1,000 items are listed. ``month``: the one that was asked for.
    """

    merchant_id: UUID
    merchant_name: str
    month: str | None
    since: date
    until: date
    charged: int
    refunded: int
    collected: int
    undone: int
    net: int
    items: list[StatementItemOut]
    truncated: bool
