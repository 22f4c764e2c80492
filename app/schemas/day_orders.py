"""Wire shapes of orders of redemption days: reserved, handed over, replaced."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import PersonName, Worded
from app.core.validation_messages import wrong
from app.models.redemption_days import SubstitutionState
from app.models.redemptions import RedemptionStatus
from app.schemas.base import Code, Id, In, OneLine, Out, RewardId, example
from app.schemas.proxies import ProxyShownOut

VALUES = {
    SubstitutionState: {
        SubstitutionState.proposed: ("待居民确认", "proposed"),
        SubstitutionState.accepted: ("已接受", "accepted"),
        SubstitutionState.declined: ("未接受", "declined"),
    },
}
Quantity = Annotated[int, Field(ge=1, le=100, strict=True)]


class OwnDayOrderOut(Out):
    """An order of the caller. It is cancelled as any redemption is; the code is there too."""

    id: UUID = Field(description="Id of the redemption.")
    day_id: UUID = Field(description="Id of the redemption day.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    quantity: int = Field(description="Pieces.")
    points: int = Field(description="Points for all pieces together.")
    status: RedemptionStatus = Field(description="State of the order.")
    slot_id: UUID | None = Field(description="Id of the slot to come in; null: any time.")
    expires_at: datetime = Field(description="Until when it can be collected, in UTC.")


class DayOrderOut(OwnDayOrderOut):
    """A new order of the caller."""

    pickup_code: str = Field(description="Code to show at the counter.")


class SubstituteOut(Out):
    """A substitute that waits for the caller's answer."""

    id: UUID = Field(description="Id of the substitution.")
    redemption_id: UUID = Field(description="Id of the order that it would replace.")
    reward_name: Worded = Field(description="Name of the reward in its place.")
    points: int = Field(description="Points for all pieces; the difference is returned.")
    reason: str = Field(description="Why.")


class DayOrderIn(
    In,
    json_schema_extra=example(
        {"item_id": "01900000-0000-7000-8000-000000000001", "quantity": 1, "slot_id": None}
    ),
):
    """Where the day has slots, the first order of a person names one, and all have the same."""

    item_id: Id = Field(description="Id of the item.")
    quantity: Quantity = Field(default=1, description="Pieces.")
    slot_id: Id | None = Field(default=None, description="Id of the slot to come in.")


class _WhoseIn(In):
    pickup_code: Annotated[str, Code(32)] | None = Field(
        default=None, description="Code of one of the person's orders, or of a proxy for it."
    )
    card_code: Annotated[str, Code(40)] | None = Field(
        default=None, description="Code that the card of the person shows: once, for a minute."
    )

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.pickup_code is None) == (self.card_code is None):
            raise wrong(
                "pickup_code 与 card_code 须填且只填一项", "either pickup_code or card_code"
            )
        return self


class HandOverIn(_WhoseIn, json_schema_extra=example({"pickup_code": "7K3M-9QX2"})):
    """Without ``order_ids`` all that the person has to collect is handed over."""

    order_ids: Annotated[list[Id], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Only these orders; null: all."
    )


class HandOverPreviewIn(_WhoseIn, json_schema_extra=example({"pickup_code": "7K3M-9QX2"})):
    pass


class HandedOrderOut(Out):
    id: UUID = Field(description="Id of the redemption.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    shelf: str = Field(description="Where it stands.")
    quantity: int = Field(description="Pieces.")
    points: int = Field(description="Points for all pieces together.")


class HandedOverOut(Out):
    """What is handed over, and to whom (masked)."""

    display_name: PersonName = Field(description="Name of the person, masked.")
    proxy: ProxyShownOut | None = Field(
        description="Who collects in the person's place, by a code for the one order; null: nobody."
    )
    orders: list[HandedOrderOut] = Field(description="The orders.")
    pieces: int = Field(description="Pieces of all orders.")
    points: int = Field(description="Points of all orders.")


class WalkInIn(
    In,
    json_schema_extra=example(
        {
            "item_id": "01900000-0000-7000-8000-000000000001",
            "quantity": 1,
            "card_code": "482913057716204839",
        }
    ),
):
    item_id: Id = Field(description="Id of the item.")
    quantity: Quantity = Field(default=1, description="Pieces.")
    card_code: Annotated[str, Code(40)] = Field(
        description="Code that the card of the person shows: once, for a minute."
    )


class SubstitutionIn(
    In,
    json_schema_extra=example(
        {
            "order_id": "01900000-0000-7000-8000-000000000001",
            "item_id": "01900000-0000-7000-8000-000000000002",
            "reason": "原奖品破损",
        }
    ),
):
    """With the code of the person's card the person agrees at once; without it, on the phone."""

    order_id: Id = Field(description="Id of the order to replace.")
    item_id: Id = Field(description="Id of the item in its place, of the same or a lower price.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. The person reads it.")
    card_code: Annotated[str, Code(40)] | None = Field(
        default=None, description="Code that the card of the person shows, who agrees by it."
    )


class SubstitutionAnswerIn(In, json_schema_extra=example({"accept": True})):
    accept: Annotated[bool, Field(strict=True)] = Field(
        description="Whether the person takes the substitute."
    )


class SubstitutionOut(Out):
    id: UUID = Field(description="Id of the substitution.")
    day_id: UUID = Field(description="Id of the redemption day.")
    redemption_id: UUID = Field(description="Id of the order to replace.")
    item_id: UUID = Field(description="Id of the item in its place.")
    points: int = Field(description="Points for all pieces of the substitute.")
    reason: str = Field(description="Why.")
    state: SubstitutionState = Field(description="State of the substitution.")
    decided_at: datetime | None = Field(description="When it was answered, in UTC; null: not yet.")
    replaced_by: UUID | None = Field(description="Id of the new order; null: there is none.")
