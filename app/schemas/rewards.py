"""API schemas of rewards."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, Worded
from app.core.validation_messages import wrong
from app.models.rewards import RewardKind, RewardPeriod, RewardState
from app.schemas.base import ChangeOut, Id, In, Moment, OneLine, Out, RecordOut, Text

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

    id: UUID
    key: str
    name: Worded = Field(description="In the language of the request.")
    kind: RewardKind
    points: int
    stock_left: int | None
    merchant_id: UUID
    merchant_name: str
    org_id: UUID
    limit_per_member: int | None
    limit_period: RewardPeriod | None
    min_tier: str


class RewardTermsIn(In):
    """``stock`` is what each period begins with; null: unlimited. ``points`` are for one piece."""

    name: Annotated[str, OneLine(60)]
    name_en: Annotated[str, OneLine(60)] | None = Field(
        default=None, description="For readers in English, who else see the Chinese one."
    )
    kind: RewardKind
    points: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    stock: Pieces | None = None
    stock_period: RewardPeriod | None = None
    limit_per_member: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = None
    limit_period: RewardPeriod | None = None
    min_tier: Annotated[Text, Field(min_length=1, max_length=20, examples=["sprout"])]
    offered_from: Moment | None = None
    offered_until: Moment | None = None
    terms: Annotated[Text, Field(max_length=1000)] | None = None
    pickup_place: Annotated[str, OneLine(100)] | None = None
    pickup_hours: Annotated[str, OneLine(100)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        since, until = self.offered_from, self.offered_until
        if since is not None and until is not None and since >= until:
            raise wrong("上架时间应早于下架时间", "offered_from must lie before offered_until")
        return self


class RewardIn(RewardTermsIn):
    """``key`` is unique at the merchant."""

    merchant_id: Id
    key: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", min_length=1, max_length=40)]


class RewardEditIn(RewardTermsIn):
    """Replaces all terms: optional ones that are left out are cleared."""

    reason: Annotated[str, OneLine(200)]


class WithdrawalIn(In):
    reason: Annotated[str, OneLine(200)]


class RewardDetailOut(RewardOut):
    """``version`` is sent back as ``If-Match``; ``name_zh`` as ``name`` when it is edited."""

    name_zh: str
    name_en: str | None
    state: RewardState
    version: int
    stock: int | None
    stock_period: RewardPeriod | None
    offered_from: datetime | None
    offered_until: datetime | None
    terms: str | None
    pickup_place: str | None
    pickup_hours: str | None


class RewardChangedOut(Out):
    """A reward after an edit, and what the edit changed. Reservations keep their price."""

    reward: RewardDetailOut
    changes: list[ChangeOut]


class StockMovementIn(In):
    """``quantity``: pieces that came in; negative: that left, were broken or miscounted."""

    quantity: Annotated[int, Field(strict=True, ge=-1_000_000, le=1_000_000)]
    reason: Annotated[str, OneLine(200)]


class StockMovementOut(RecordOut):
    reward_id: UUID
    period_start: datetime
    quantity: int
    reason: str


class StockMovedOut(StockMovementOut):
    """``before`` and ``after``: the stock left in the running period."""

    before: int
    after: int
