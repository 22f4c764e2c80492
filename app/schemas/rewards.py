"""API schemas of rewards."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, Worded
from app.core.validation_messages import wrong
from app.models.rewards import RewardKind, RewardPeriod, RewardState
from app.schemas.base import (
    ChangeOut,
    In,
    MerchantId,
    Moment,
    OneLine,
    OrgId,
    Out,
    RecordOut,
    RewardId,
    Text,
    Version,
    example,
)

HEADINGS = {
    "key": Bilingual("代码", "Key"),
    "name_zh": Bilingual("中文名称", "Chinese name"),
    "name_en": Bilingual("英文名称", "English name"),
    "stock_left": Bilingual("剩余库存", "Stock left"),
    "limit_per_member": Bilingual("每人限兑", "Limit per member"),
    "limit_period": Bilingual("限兑周期", "Period of the limit"),
    "min_tier": Bilingual("最低等级", "Lowest tier"),
    "version": Bilingual("版本", "Version"),
    "stock": Bilingual("每期库存", "Stock of a period"),
    "stock_period": Bilingual("库存周期", "Period of the stock"),
    "offered_from": Bilingual("上架时间", "Offered from (Shanghai)"),
    "offered_until": Bilingual("下架时间", "Offered until (Shanghai)"),
    "terms": Bilingual("兑换说明", "Terms"),
    "pickup_place": Bilingual("领取地点", "Where to collect"),
    "pickup_hours": Bilingual("领取时间", "When to collect"),
    "reward_id": Bilingual("奖品编号", "Reward id"),
    "period_start": Bilingual("周期开始", "Period begins (Shanghai)"),
}
VALUES = {
    RewardKind: {
        RewardKind.goods: ("实物", "goods"),
        RewardKind.voucher: ("兑换券", "voucher"),
        RewardKind.place: ("名额", "place"),
        RewardKind.donation: ("捐赠", "donation"),
    },
    RewardPeriod: {
        RewardPeriod.session: ("每次集中兑换", "redemption day"),
        RewardPeriod.month: ("每月", "month"),
        RewardPeriod.quarter: ("每季度", "quarter"),
        RewardPeriod.year: ("每年", "year"),
    },
    RewardState: {
        RewardState.draft: ("草稿", "draft"),
        RewardState.published: ("已上架", "published"),
        RewardState.withdrawn: ("已下架", "withdrawn"),
    },
}
Pieces = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class RewardOut(Out):
    """``stock_left`` in the current period; null if unlimited."""

    id: UUID = Field(description="Id of the reward.")
    key: str = Field(description="Key of the reward, unique at the merchant.")
    name: Worded = Field(description="In the language of the request.")
    kind: RewardKind = Field(description="Kind of the reward.")
    points: int = Field(description="Points for one piece.")
    stock_left: int | None = Field(
        description="Pieces left in the running period; null: unlimited."
    )
    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")
    org_id: UUID = Field(description="Id of the merchant's organisation.")
    limit_per_member: int | None = Field(
        description="Most pieces of a person in `limit_period`; null: no limit."
    )
    limit_period: RewardPeriod | None = Field(description="Period of the limit; null: for ever.")
    min_tier: str = Field(description="Key of the lowest tier that may have it.")


class RewardTermsIn(In):
    """``stock`` is what each period begins with; null: unlimited. ``points`` are for one piece."""

    name: Annotated[str, OneLine(60)] = Field(description="What it is called.")
    name_en: Annotated[str, OneLine(60)] | None = Field(
        default=None, description="For readers in English, who else see the Chinese one."
    )
    kind: RewardKind = Field(description="Kind of the reward.")
    points: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        description="Points for one piece."
    )
    stock: Pieces | None = Field(
        default=None, description="Pieces with which each period begins; null: unlimited."
    )
    stock_period: RewardPeriod | None = Field(
        default=None, description="Period of the stock; null: one stock for ever."
    )
    limit_per_member: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = Field(
        default=None, description="Most pieces of a person in `limit_period`; null: no limit."
    )
    limit_period: RewardPeriod | None = Field(
        default=None, description="Period of the limit; null: for ever."
    )
    min_tier: Annotated[Text, Field(min_length=1, max_length=20, examples=["sprout"])] = Field(
        description="Key of the lowest tier that may have it."
    )
    offered_from: Moment | None = Field(
        default=None, description="When it can first be reserved; null: at once."
    )
    offered_until: Moment | None = Field(
        default=None, description="Until when it can be reserved; null: without end."
    )
    terms: Annotated[Text, Field(max_length=1000)] | None = Field(
        default=None, description="What a person must know before; lines allowed."
    )
    pickup_place: Annotated[str, OneLine(100)] | None = Field(
        default=None, description="Where to collect it; null: not said."
    )
    pickup_hours: Annotated[str, OneLine(100)] | None = Field(
        default=None, description="When to collect it, in words; null: not said."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        since, until = self.offered_from, self.offered_until
        if since is not None and until is not None and since >= until:
            raise wrong("上架时间应早于下架时间", "offered_from must lie before offered_until")
        return self


class RewardIn(
    RewardTermsIn,
    json_schema_extra=example(
        {
            "merchant_id": "01900000-0000-7002-8000-000000000002",
            "key": "canvas_bag",
            "name": "环保帆布袋",
            "kind": "goods",
            "points": 20,
            "stock": 50,
            "stock_period": "month",
            "limit_per_member": 1,
            "limit_period": "month",
            "min_tier": "sprout",
            "terms": "领取后不退换。",
            "pickup_place": "三茅公益银行兑换点",
            "pickup_hours": "每周六 9:00 至 12:00",
        }
    ),
):
    """``key`` is unique at the merchant."""

    merchant_id: MerchantId
    org_id: OrgId | None = Field(
        default=None,
        description="Id of the organisation that offers it: one with an agreement with the"
        " merchant, whose statement its collections are on; null: the merchant's own.",
    )
    key: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", min_length=1, max_length=40)] = Field(
        description="Key of the reward, unique at the merchant."
    )


class RewardEditIn(
    RewardTermsIn,
    json_schema_extra=example(
        {
            "name": "环保帆布袋",
            "kind": "goods",
            "points": 18,
            "stock": 50,
            "stock_period": "month",
            "limit_per_member": 1,
            "limit_period": "month",
            "min_tier": "sprout",
            "terms": "领取后不退换。",
            "pickup_place": "三茅公益银行兑换点",
            "pickup_hours": "每周六 9:00 至 12:00",
            "reason": "供货价下降",
        }
    ),
):
    """Replaces all terms: optional ones that are left out are cleared."""

    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class RewardStatusIn(In, json_schema_extra=example({"status": "published", "reason": "到货上架"})):
    status: Literal[RewardState.published, RewardState.withdrawn] = Field(
        description="Offered, or offered no more."
    )
    reason: Annotated[str, OneLine(200)] | None = Field(
        default=None, description="Why; null: nothing is said. It stands in the audit trail."
    )


class RewardDetailOut(RewardOut):
    """``version`` is sent back as ``If-Match``; ``name_zh`` as ``name`` when it is edited."""

    name_zh: str = Field(description="Name in Chinese.")
    name_en: str | None = Field(description="Name for readers in English; null: the Chinese one.")
    state: RewardState = Field(description="State of the reward.")
    version: Version
    stock: int | None = Field(description="Pieces with which each period begins; null: unlimited.")
    stock_period: RewardPeriod | None = Field(
        description="Period of the stock; null: one stock for ever."
    )
    offered_from: datetime | None = Field(
        description="When it can first be reserved; null: since its publication."
    )
    offered_until: datetime | None = Field(
        description="Until when it can be reserved; null: without end."
    )
    terms: str | None = Field(description="What a person must know before; null: nothing.")
    pickup_place: str | None = Field(description="Where to collect it; null: not said.")
    pickup_hours: str | None = Field(description="When to collect it, in words; null: not said.")


class RewardChangedOut(Out):
    """A reward after an edit, and what the edit changed. Reservations keep their price."""

    reward: RewardDetailOut = Field(description="The reward after the edit.")
    changes: list[ChangeOut] = Field(description="What the edit changed.")


class StockMovementIn(In, json_schema_extra=example({"change": 20, "reason": "补货"})):
    """``change``: pieces that came in; negative: that left, were broken or miscounted."""

    change: Annotated[int, Field(strict=True, ge=-1_000_000, le=1_000_000)] = Field(
        description="Pieces that came in; negative: that left, broke or were miscounted."
    )
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class StockMovementOut(RecordOut):
    reward_id: RewardId
    period_start: datetime = Field(description="When the period of the stock began, in UTC.")
    quantity: int = Field(
        serialization_alias="change", description="Pieces that came in; negative: that left."
    )
    reason: str = Field(description="Why.")


class StockMovedOut(StockMovementOut):
    """``before`` and ``after``: the stock left in the running period."""

    before: int = Field(description="Pieces left before, in the running period.")
    after: int = Field(description="Pieces left after.")
