"""Wire shapes of merchants, visits to them and their staff, and the words of their notices."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from app.core.clock import local_date, now
from app.core.language import Bilingual, PersonName
from app.core.validation_messages import wrong
from app.models.merchants import MerchantKind, MerchantState
from app.schemas.base import (
    STREET,
    ChangeOut,
    CreatedAt,
    Day,
    Flag,
    Id,
    In,
    MerchantId,
    OneLine,
    Out,
    PersonId,
    RecordOut,
    Text,
    Version,
    example,
)
from app.schemas.notify import words

HEADINGS = {
    "description": Bilingual("简介", "Description"),
    "phone": Bilingual("电话", "Phone"),
    "hours": Bilingual("营业时间", "Hours"),
    "version": Bilingual("版本", "Version"),
    "applied_by": Bilingual("申请人编号", "Applied by (id)"),
    "visited_on": Bilingual("走访日期", "Visited on"),
}
VALUES = {
    MerchantKind: {
        MerchantKind.shop: ("商户", "shop"),
        MerchantKind.fund_counter: ("公益银行兑换点", "counter of a fund"),
    },
    MerchantState: {
        MerchantState.applied: ("待审核", "applied"),
        MerchantState.active: ("合作中", "active"),
        MerchantState.suspended: ("已暂停", "suspended"),
        MerchantState.declined: ("未通过", "declined"),
    },
}
NOTICES = {
    "merchants_waiting": words(
        ("商户待审核", "Merchants to review"),
        "{org}新收到 {count:n} 份商户申请，请走访并审核。",
        "{count:n new application} of merchants to visit and review at {org}.",
        merges=True,
    ),
    "merchant_moved": words(
        ("商户状态变更", "Merchant"),
        "「{merchant}」{active:已开通，可以收款和核销|已停用或未通过}：{reason}",
        "“{merchant}” {active:can charge and collect|cannot charge and collect}: {reason}",
    ),
}
Phone = Annotated[str, Field(pattern=r"^[0-9+() \-]+$", min_length=5, max_length=20)]
Hours = Annotated[str, OneLine(100)]


def _over(day: date) -> date:
    if not date(2020, 1, 1) <= day <= local_date(now()):
        raise wrong("走访日期不能晚于今天", "a visit lies in the past")
    return day


class ProfileIn(
    In,
    json_schema_extra=example(
        {"description": "咖啡与简餐", "phone": "0511-88320000", "hours": "每天 9:00 至 21:00"}
    ),
):
    """Replaces the profile: optional fields that are left out are cleared, but not the name."""

    name: Annotated[str, OneLine(60)] | None = Field(
        default=None, description="Name of the merchant; null or left out: as it is."
    )
    description: Annotated[Text, Field(max_length=1000)] | None = Field(
        default=None, description="What the merchant offers; null: nothing is said."
    )
    phone: Phone | None = Field(default=None, description="Phone number for customers; null: none.")
    hours: Hours | None = Field(
        default=None, description="When it is open, in words; null: unknown."
    )


class MerchantIn(
    ProfileIn,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "name": "江洲书店",
            "kind": "shop",
            "description": "凭青享卡购书积分抵扣",
            "phone": "0511-88320000",
            "hours": "每天 9:00 至 21:00",
        }
    ),
):
    """An application. ``fund_counter``: points that are collected there go to the 公益银行."""

    org_id: Id = Field(description="Id of the organisation that it applies to.")
    name: Annotated[str, OneLine(60)] = Field(description="Name of the merchant.")
    kind: MerchantKind = Field(
        default=MerchantKind.shop,
        description="`fund_counter`: points collected there go to the 公益银行.",
    )


class MerchantDecisionIn(In, json_schema_extra=example({"approved": True, "reason": "已走访"})):
    approved: Flag = Field(description="Whether the merchant may begin; false: it is declined.")
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class MerchantStatusIn(
    In, json_schema_extra=example({"status": "suspended", "reason": "店主来电说停业装修"})
):
    status: Literal[MerchantState.active, MerchantState.suspended] = Field(
        description="Suspended, or active again."
    )
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")


class MerchantOut(Out):
    """``version`` is sent back as ``If-Match``."""

    id: UUID = Field(description="Id of the merchant.")
    org_id: UUID = Field(description="Id of the organisation that it belongs to.")
    name: PersonName = Field(description="Name of the merchant.")
    kind: MerchantKind = Field(
        description="`fund_counter`: points collected there go to the 公益银行."
    )
    state: MerchantState = Field(description="State of the merchant.")
    description: str | None = Field(description="What the merchant offers; null: nothing is said.")
    phone: str | None = Field(description="Phone number for customers; null: none.")
    hours: str | None = Field(description="When it is open, in words; null: unknown.")
    version: Version
    created_at: CreatedAt


class MerchantChangedOut(Out):
    """A merchant after an edit, and what the edit changed."""

    merchant: MerchantOut = Field(description="The merchant after the edit.")
    changes: list[ChangeOut] = Field(description="What the edit changed.")


class VisitIn(
    In,
    json_schema_extra=example(
        {"visited_on": "2026-11-20", "note": "店面在营业，看过营业执照，谈了每杯九分。"}
    ),
):
    """A visit (走访): what was seen and agreed."""

    visited_on: Annotated[Day, AfterValidator(_over)] = Field(
        description="Day of the visit, in Asia/Shanghai; not in the future."
    )
    note: Annotated[Text, Field(min_length=1, max_length=1000)] = Field(
        description="What was seen and agreed; lines allowed."
    )


class VisitOut(RecordOut):
    merchant_id: MerchantId
    visited_on: date = Field(description="Day of the visit, in Asia/Shanghai.")
    note: str = Field(description="What was seen and agreed.")


class StaffOut(Out):
    """A member of a merchant's staff, since ``since``."""

    person_id: PersonId
    display_name: PersonName = Field(description="The person's name.")
    since: datetime = Field(description="Since when the person is staff, in UTC.")


class StaffListOut(Out):
    items: list[StaffOut] = Field(description="All members of the staff.")


class RemovalIn(
    In,
    json_schema_extra=example(
        {"person_id": "01900000-0000-7001-8000-000000000006", "reason": "已经离职"}
    ),
):
    person_id: PersonId
    reason: Annotated[str, OneLine(200)] = Field(description="Why. It stands in the audit trail.")
