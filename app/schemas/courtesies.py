"""Wire shapes of courtesies: their matrix, and what the caller may have of them."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from app.core.language import Worded
from app.core.validation_messages import wrong
from app.models.courtesies import (
    MOST_CELLS,
    MOST_PLACES,
    MOST_QUOTA,
    CourtesyPeriod,
    CourtesyState,
)
from app.models.person_categories import PeopleCategory
from app.schemas.base import (
    STREET,
    Flag,
    Id,
    In,
    MerchantId,
    Moment,
    OneLine,
    OrgId,
    Out,
    PublicRecordOut,
    ReasonOut,
    Version,
    example,
)

VALUES = {
    CourtesyState: {
        CourtesyState.draft: ("草稿", "draft"),
        CourtesyState.published: ("已发布", "published"),
        CourtesyState.ended: ("已结束", "ended"),
    },
    CourtesyPeriod: {
        CourtesyPeriod.month: ("每月", "month"),
        CourtesyPeriod.quarter: ("每季度", "quarter"),
        CourtesyPeriod.year: ("每年", "year"),
        CourtesyPeriod.run: ("整个期间", "the whole time"),
    },
}
_CONTENT: dict[str, Any] = {
    "name": "年度健康体检",
    "name_en": "Yearly health check",
    "details": "市人民医院基础体检套餐",
    "venue": "三茅青年之家",
    "places": ["01900000-0000-7002-8000-000000000001"],
    "period": "year",
    "choice_group": "年度任选",
    "starts_at": "2026-01-01T00:00:00+08:00",
    "ends_at": "2028-12-31T00:00:00+08:00",
    "cells": [
        {"min_tier": "growth", "quota": 1},
        {"category": "blood_donor", "quota": 2},
    ],
}


class CourtesyCellIn(In):
    """A cell of the matrix. Of several that apply to a person the largest quota counts."""

    category: PeopleCategory | None = Field(default=None, description="For whom; null: everybody.")
    min_tier: Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")] | None = Field(
        default=None, description="Key of the lowest tier of the card; null: any."
    )
    quota: Annotated[int, Field(ge=1, le=MOST_QUOTA, strict=True)] = Field(
        description="How often a person may claim it in a period."
    )


class CourtesyEditIn(In, json_schema_extra=example(_CONTENT)):
    """The content of a courtesy. It is used at its merchants, at the venue, or at both."""

    name: Annotated[str, OneLine(60)] = Field(description="Name in Chinese.")
    name_en: Annotated[str, OneLine(60)] | None = Field(
        default=None, description="Name in English; null: none."
    )
    details: Annotated[str, OneLine(500)] | None = Field(
        default=None, description="What it consists of; null: nothing more to say."
    )
    venue: Annotated[str, OneLine(100)] | None = Field(
        default=None, description="Place where organizers record its uses; null: none."
    )
    places: Annotated[list[Id], Field(max_length=MOST_PLACES)] = Field(
        default=[], description="Ids of the merchants of the subtree where it is used."
    )
    period: CourtesyPeriod = Field(description="Period of the quotas, in Asia/Shanghai.")
    choice_group: Annotated[str, OneLine(40)] | None = Field(
        default=None,
        description="Name of a group of the organisation's courtesies, of which a person has one"
        " a year; null: of none.",
    )
    starts_at: Moment = Field(description="From when it can be claimed, with its offset.")
    ends_at: Moment = Field(description="Until when it can be claimed and used, with its offset.")
    cells: Annotated[list[CourtesyCellIn], Field(min_length=1, max_length=MOST_CELLS)] = Field(
        description="The matrix: who, and how often; each pair of category and tier once."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise wrong("结束时间应晚于开始时间", "must end after it starts")
        if self.venue is None and not self.places:
            raise wrong("请填写使用场所或商户", "needs a venue or merchants where it is used")
        if len(set(self.places)) < len(self.places):
            raise wrong("同一商户只能列一次", "each merchant may be listed once")
        if len({(one.category, one.min_tier) for one in self.cells}) < len(self.cells):
            raise wrong("同一类别和等级只能有一格", "each pair of category and tier has one cell")
        return self


class CourtesyIn(CourtesyEditIn, json_schema_extra=example({"org_id": STREET, **_CONTENT})):
    org_id: OrgId


class CourtesyEndIn(In, json_schema_extra=example({"reason": "合作到期"})):
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class CourtesyOut(PublicRecordOut):
    name: Worded = Field(description="Name of the courtesy.")
    venue: str | None = Field(description="Place where organizers record its uses; null: none.")
    period: CourtesyPeriod = Field(description="Period of the quotas.")
    choice_group: str | None = Field(
        description="Group of which a person has one a year; null: of none."
    )
    starts_at: datetime = Field(description="From when it can be claimed, in UTC.")
    ends_at: datetime = Field(description="Until when it can be claimed and used, in UTC.")
    state: CourtesyState = Field(description="State of the courtesy.")


class CourtesyPlaceOut(Out):
    merchant_id: MerchantId
    merchant_name: str = Field(description="Name of the merchant.")


class CourtesyCellOut(Out):
    category: PeopleCategory | None = Field(description="For whom; null: everybody.")
    min_tier: str | None = Field(description="Key of the lowest tier of the card; null: any.")
    quota: int = Field(description="How often a person may claim it in a period.")


class MyCourtesyCellOut(CourtesyCellOut):
    """A cell, and what the caller lacks for it."""

    applies: Flag = Field(description="Whether it applies to the caller.")
    missing_category: PeopleCategory | None = Field(
        description="PeopleCategory that the caller does not have; null: nothing is missing there."
    )
    missing_tier: str | None = Field(
        description="Key of the tier that the caller does not have yet; null: nothing is missing."
    )


class OwnCourtesyOut(Out):
    """What the caller may have of a courtesy, and why or why not."""

    tier: str = Field(description="Key of the caller's tier there.")
    categories: list[PeopleCategory] = Field(
        description="Categories of the caller that count there."
    )
    cells: list[MyCourtesyCellOut] = Field(description="The matrix, as it applies to the caller.")
    quota: int = Field(description="Claims of the running period; 0: no cell applies.")
    used: int = Field(description="Of these, made already, without cancelled ones.")
    left: int = Field(description="Of these, left.")
    renews_at: datetime | None = Field(
        description="When the next period begins, in UTC; null: there is none."
    )
    reason: ReasonOut | None = Field(description="Why it cannot be claimed now; null: it can be.")


class MyCourtesyOut(CourtesyOut):
    details: str | None = Field(description="What it consists of; null: nothing more to say.")
    places: list[CourtesyPlaceOut] = Field(description="Merchants where it is used.")
    mine: OwnCourtesyOut = Field(description="What the caller may have of it.")


class CourtesyDetailOut(CourtesyOut):
    name_zh: str = Field(description="Name in Chinese.")
    name_en: str | None = Field(description="Name in English; null: none.")
    details: str | None = Field(description="What it consists of; null: nothing more to say.")
    places: list[CourtesyPlaceOut] = Field(description="Merchants where it is used.")
    cells: list[CourtesyCellOut] = Field(description="The matrix.")
    version: Version
    mine: OwnCourtesyOut | None = Field(
        description="What the caller may have of it; null without a login."
    )
