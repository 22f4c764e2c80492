"""Wire shapes of published lists of rewards."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.reward_lists import RewardListState
from app.models.rewards import RewardKind, RewardPeriod
from app.schemas.base import (
    In,
    MerchantId,
    Moment,
    OneLine,
    Out,
    PublicRecordOut,
    RewardId,
    example,
)

HEADINGS = {
    "number": Bilingual("版次", "Number"),
    "title": Bilingual("标题", "Title"),
    "source": Bilingual("发布依据", "Source"),
    "effective_from": Bilingual("生效时间", "In force from (Shanghai)"),
}
VALUES = {
    RewardListState: {
        RewardListState.announced: ("待生效", "announced"),
        RewardListState.in_force: ("生效中", "in force"),
        RewardListState.superseded: ("已被新版替代", "superseded"),
        RewardListState.withdrawn: ("已撤回", "withdrawn"),
    },
}


class ListedRewardIn(In):
    reward_id: RewardId
    points: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = Field(
        default=None, description="Points for one piece; null: as the reward has them now."
    )


class RewardListIn(
    In,
    json_schema_extra=example(
        {
            "title": "2026年冬季积分兑换清单",
            "source": "扬青发〔2026〕12号",
            "items": [{"reward_id": "01900000-0000-7003-8000-000000000015", "points": 5}],
        }
    ),
):
    """All that the organisation offers. Its other rewards are withdrawn when it is in force."""

    title: Annotated[str, OneLine(100)] = Field(description="What the list is called.")
    source: Annotated[str, OneLine(100)] = Field(description="The document that decided it.")
    effective_from: Moment | None = Field(
        default=None, description="From when it is in force, not in the past; null: at once."
    )
    items: Annotated[list[ListedRewardIn], Field(min_length=1, max_length=200)] = Field(
        description="The rewards of the organisation's merchants, each once."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({one.reward_id for one in self.items}) < len(self.items):
            raise wrong("同一兑换品只能列一次", "each reward may be listed once")
        return self


class ListedRewardOut(Out):
    """A reward as it stood on the list: later edits of the reward do not change it."""

    reward_id: RewardId
    merchant_id: MerchantId
    key: str = Field(description="Key of the reward, unique at the merchant.")
    name: str = Field(description="Name in Chinese.")
    name_en: str | None = Field(description="Name in English; null: none.")
    kind: RewardKind = Field(description="Kind of the reward.")
    points: int = Field(description="Points for one piece.")
    stock: int | None = Field(description="Pieces with which each period begins; null: unlimited.")
    stock_period: RewardPeriod | None = Field(
        description="Period of the stock; null: one stock for ever."
    )
    limit_per_member: int | None = Field(
        description="Most pieces of a person in `limit_period`; null: no limit."
    )
    limit_period: RewardPeriod | None = Field(description="Period of the limit; null: for ever.")
    min_tier: str = Field(description="Key of the lowest tier that may have it.")


class RewardListOut(PublicRecordOut):
    number: int = Field(description="Number of the version at its organisation, from 1.")
    title: str = Field(description="What the list is called.")
    source: str = Field(description="The document that decided it.")
    effective_from: datetime = Field(description="From when it is in force, in UTC.")
    state: RewardListState = Field(description="State of the version.")


class RewardListDetailOut(RewardListOut):
    items: list[ListedRewardOut] = Field(description="What it offers.")
    published_by: UUID | None = Field(
        description="Id of who published it, for organizers and auditors; null: not told."
    )


class RewardListWithdrawalIn(In, json_schema_extra=example({"reason": "价格有误"})):
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")
