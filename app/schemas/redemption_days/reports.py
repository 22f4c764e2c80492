"""Wire shapes of the pick list of a redemption day, and of its reconciliation."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName, Worded
from app.models.redemption_days import MOST_ITEMS
from app.models.redemptions import RedemptionStatus
from app.schemas import redemptions
from app.schemas.base import Id, In, Out, PersonId, RewardId, example

VALUES = {RedemptionStatus: redemptions.VALUES[RedemptionStatus]}
HEADINGS = {
    "reward_id": Bilingual("奖品编号", "Reward id"),
    "reward_name": Bilingual("奖品", "Reward"),
    "shelf": Bilingual("货架", "Shelf"),
    "slot_starts_at": Bilingual("时段开始", "Slot begins (Shanghai)"),
    "slot_ends_at": Bilingual("时段结束", "Slot ends (Shanghai)"),
    "is_walk_in": Bilingual("现场兑换", "Walk-in"),
}


class DayPickOut(Out):
    """A line of the pick list. It has no pick-up code: that is the person's."""

    id: UUID = Field(description="Id of the redemption.")
    shelf: str = Field(description="Where it stands.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    quantity: int = Field(description="Pieces.")
    person_id: PersonId
    display_name: PersonName = Field(description="Name of the person, masked.")
    slot_starts_at: datetime | None = Field(description="When the slot begins, in UTC; null: none.")
    slot_ends_at: datetime | None = Field(description="When the slot ends, in UTC; null: none.")
    status: RedemptionStatus = Field(description="State of the order.")
    points: int = Field(description="Points for all pieces together.")
    is_walk_in: bool = Field(description="Whether it was had at the counter without an order.")


class DayReportItemOut(Out):
    """Pieces of an item. ``expected`` = ``stock`` + ``moved_in`` - ``moved_out`` - what is out."""

    item_id: UUID = Field(description="Id of the item.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    shelf: str = Field(description="Where it stands.")
    price: int = Field(description="Points for one piece.")
    stock: int = Field(description="Pieces that the day began with.")
    moved_in: int = Field(description="Pieces that came later.")
    moved_out: int = Field(description="Pieces that were lost or taken away.")
    reserved: int = Field(description="Pieces of all orders, without walk-ins.")
    collected: int = Field(description="Of these, handed over.")
    substituted: int = Field(description="Of these, replaced by a substitute.")
    cancelled: int = Field(description="Of these, cancelled.")
    released: int = Field(description="Of these, not collected.")
    open: int = Field(description="Of these, waiting to be collected.")
    walk_ins: int = Field(description="Pieces handed over to walk-ins.")
    expected: int = Field(description="Pieces that should be left.")
    left: int = Field(description="Pieces that are left by the stock that is kept.")
    counted: int | None = Field(description="Pieces that were counted; null before.")


class DayReportOut(Out):
    """The reconciliation. It balances if nothing is open, and all of the same sums are equal."""

    items: list[DayReportItemOut] = Field(description="By item.")
    points_reserved: int = Field(description="Points of all orders.")
    points_collected: int = Field(description="Points of collected orders.")
    ledger_held: int = Field(description="Points that the ledger has put aside for them.")
    ledger_collected: int = Field(description="Points that it has moved by collections.")
    ledger_returned: int = Field(description="Points that it has given back.")
    places_taken: int = Field(description="Places of slots that are taken.")
    people_expected: int = Field(description="People with live orders in slots.")
    balances: bool = Field(description="Whether it balances.")


class DayCountIn(In):
    item_id: Id = Field(description="Id of the item.")
    left: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = Field(
        description="Pieces that stand on the shelf."
    )


class DayCloseIn(
    In,
    json_schema_extra=example(
        {"counts": [{"item_id": "01900000-0000-7000-8000-000000000001", "left": 3}]}
    ),
):
    counts: Annotated[list[DayCountIn], Field(max_length=MOST_ITEMS)] = Field(
        description="What was counted, one for each item."
    )
