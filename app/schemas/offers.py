"""Wire shapes of rewards as their readers see them."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from app.schemas.attachments import PATH as ATTACHMENTS
from app.schemas.base import Out, ReasonOut
from app.schemas.rewards import RewardDetailOut, RewardOut


class PictureOut(Out):
    id: UUID = Field(description="Id of the attachment.")
    url: str = Field(description="Path of the picture.")
    thumbnail_url: str = Field(description="Path of a smaller one, 480 pixels at most.")

    @classmethod
    def of(cls, picture: UUID) -> Self:
        path = f"{ATTACHMENTS}/{picture}"
        return cls(id=picture, url=f"{path}/file", thumbnail_url=f"{path}/thumbnail")


class OwnOfferOut(Out):
    """What the reward is to the caller."""

    may_redeem: bool = Field(description="Whether one piece could be reserved now.")
    limit_left: int | None = Field(
        description="Pieces that the caller's limit leaves in its period; null without a limit."
    )
    reason: ReasonOut | None = Field(description="Why a reservation would be refused.")


class OfferedRewardOut(RewardOut):
    """A reward with its pictures, where and when to collect it, and the caller's part."""

    offered_from: datetime | None = Field(
        description="When it can first be reserved; null: since its publication."
    )
    offered_until: datetime | None = Field(
        description="Until when it can be reserved; null: without end."
    )
    pickup_place: str | None = Field(description="Where to collect it; null: not said.")
    pickup_hours: str | None = Field(description="When to collect it, in words; null: not said.")
    pictures: list[PictureOut] = Field(description="Its pictures, in the order of their upload.")
    mine: OwnOfferOut | None = Field(description="The caller's part; null without a login.")


class OfferedRewardDetailOut(RewardDetailOut):
    """A reward with its terms and its pictures, and the caller's part."""

    pictures: list[PictureOut] = Field(description="Its pictures, in the order of their upload.")
    mine: OwnOfferOut | None = Field(description="The caller's part; null without a login.")
