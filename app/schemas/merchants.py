"""Wire shapes of merchants, visits to them and their staff, and the words of their notices."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from app.core.clock import local_date, now
from app.core.language import Bilingual
from app.core.validation_messages import wrong
from app.models.merchants import MerchantKind, MerchantState
from app.schemas.base import ChangeOut, Code, Day, Id, In, OneLine, Out, RecordOut, Text
from app.schemas.notify import words

HEADINGS = {
    "description": Bilingual("简介", "Description"),
    "phone": Bilingual("电话", "Phone"),
    "hours": Bilingual("营业时间", "Hours"),
    "version": Bilingual("版本", "Version"),
    "applied_by": Bilingual("申请人编号", "Applied by (id)"),
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


class ProfileIn(In):
    """Replaces the profile: optional fields that are left out are cleared."""

    description: Annotated[Text, Field(max_length=1000)] | None = None
    phone: Phone | None = None
    hours: Hours | None = None


class MerchantIn(ProfileIn):
    """An application. ``fund_counter``: points that are collected there go to the 公益银行."""

    org_id: Id
    name: Annotated[str, OneLine(60)]
    kind: MerchantKind = MerchantKind.shop


class MerchantMoveIn(In):
    state: MerchantState
    reason: Annotated[str, OneLine(200)]


class MerchantOut(Out):
    """``version`` is sent back as ``If-Match``."""

    id: UUID
    org_id: UUID
    name: str
    kind: MerchantKind
    state: MerchantState
    description: str | None
    phone: str | None
    hours: str | None
    version: int
    created_at: datetime


class MerchantChangedOut(Out):
    """A merchant after an edit, and what the edit changed."""

    merchant: MerchantOut
    changes: list[ChangeOut]


class VisitIn(In):
    """A visit (走访): what was seen and agreed."""

    visited_on: Annotated[Day, AfterValidator(_over)]
    note: Annotated[Text, Field(min_length=1, max_length=1000)]


class VisitOut(RecordOut):
    merchant_id: UUID
    visited_on: date
    note: str


class StaffCodeOut(Out):
    """``code`` makes who enters it staff: once, until ``expires_at``."""

    code: str
    merchant_id: UUID
    expires_at: datetime


class StaffCodeIn(In):
    code: Annotated[str, Code(32)]


class StaffOut(Out):
    """A member of a merchant's staff, since ``since``."""

    person_id: UUID
    display_name: str
    since: datetime


class StaffListOut(Out):
    items: list[StaffOut]


class RemovalIn(In):
    person_id: Id
    reason: Annotated[str, OneLine(200)]
