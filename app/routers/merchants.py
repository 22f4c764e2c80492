"""Merchants: applications, visits, states, profiles and staff."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from app.api import exports
from app.api.access import (
    ADMINISTRATOR,
    ANYONE,
    KEEPER,
    MERCHANT_READER,
    ORGANIZER,
    READER,
    RESIDENT,
    allow,
)
from app.api.deps import (
    Caller,
    CurrentPerson,
    DayQuery,
    IfMatch,
    MonthQuery,
    PageQuery,
    Reader,
    Tx,
)
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.merchants import MerchantState
from app.schemas.appointments import AppointmentOut
from app.schemas.base import Id
from app.schemas.merchants import (
    MerchantChangedOut,
    MerchantDecisionIn,
    MerchantIn,
    MerchantOut,
    MerchantStatusIn,
    ProfileIn,
    RemovalIn,
    StaffListOut,
    VisitIn,
    VisitOut,
)
from app.schemas.redemptions import StatementItemOut, StatementOut
from app.services.merchants import access, register, staff, statement
from app.services.merchants.access import MerchantNotFound, MerchantWrongState
from app.services.merchants.register import NotVisited, OwnMerchant, TooManyApplications
from app.services.merchants.staff import StaffNotFound
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "商户：入驻申请、走访、审核、暂停、资料与店员",
    "Merchants: applications, visits, states, profiles and staff",
)
router = Router(tags=["merchants"], about=ABOUT)


@router.post(
    "/merchants",
    status_code=201,
    operation_id="applyAsMerchant",
    **allow(RESIDENT, OrgNotFound, OrgClosed, TooManyApplications, body=True, once=True),
)
@leads_to("getMerchant", {"merchant_id": "id"})
async def apply_as_merchant(body: MerchantIn, tx: Tx, caller: CurrentPerson) -> MerchantOut:
    """File the application of a merchant with an organisation."""
    return await register.apply(tx, caller, body)


@router.get("/merchants", operation_id="listMerchants", **allow(READER, OrgNotFound))
async def list_merchants(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    state: Annotated[MerchantState | None, Query(description="Only in this state.")] = None,
) -> Page[MerchantOut]:
    """Return the merchants of an organisation's subtree, applications too, newest first."""
    return await register.browse(tx, caller, org_id, state, page)


exports.beside(router, list_merchants, Bilingual("商户", "Merchants"))


@router.get("/me/merchants", operation_id="listMyMerchants", **allow(RESIDENT))
async def list_my_merchants(
    tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[MerchantOut]:
    """Return the merchants that the caller works at or applied for."""
    return await register.mine(tx, caller, page)


exports.beside(router, list_my_merchants, Bilingual("我的商户", "My merchants"))


@router.get(
    "/merchants/{merchant_id}", operation_id="getMerchant", **allow(ANYONE, MerchantNotFound)
)
async def get_merchant(merchant_id: PathId, tx: Reader, caller: Caller) -> MerchantOut:
    """Return a merchant; an application only to its applicant and its reviewers."""
    return await register.show(tx, caller, merchant_id)


@router.put(
    "/merchants/{merchant_id}",
    operation_id="editMerchant",
    **allow(KEEPER, MerchantNotFound, body=True, if_match=True),
)
async def edit_merchant(
    merchant_id: PathId, body: ProfileIn, version: IfMatch, tx: Tx, caller: CurrentPerson
) -> MerchantChangedOut:
    """Replace description, phone and hours of a merchant, and its name if one is given."""
    return await register.edit(tx, caller, merchant_id, version, body)


@router.post(
    "/merchants/{merchant_id}/visits",
    status_code=201,
    operation_id="recordVisit",
    **allow(ORGANIZER, MerchantNotFound, OrgClosed, body=True, once=True),
)
async def record_visit(
    merchant_id: PathId, body: VisitIn, tx: Tx, caller: CurrentPerson
) -> VisitOut:
    """Record a visit to a merchant; an application needs one before it is approved."""
    return await register.visit(tx, caller, merchant_id, body)


@router.get(
    "/merchants/{merchant_id}/visits",
    operation_id="listVisits",
    **allow(READER, MerchantNotFound),
)
async def list_visits(
    merchant_id: PathId, tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[VisitOut]:
    """Return the visits to a merchant, newest first."""
    return await register.visits(tx, caller, merchant_id, page)


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return (await access.get(tx, asked["merchant_id"])).org_id


exports.beside(router, list_visits, Bilingual("走访记录", "Visits"), org=_org_of)


@router.get(
    "/merchants/{merchant_id}/statement",
    operation_id="getMerchantStatement",
    **allow(READER, MerchantNotFound),
)
async def get_merchant_statement(
    merchant_id: PathId,
    tx: Reader,
    caller: CurrentPerson,
    month: MonthQuery = None,
    since: DayQuery = None,
    until: DayQuery = None,
) -> StatementOut:
    """Return a merchant's statement of a month or any days, for those above it and auditors."""
    days = statement.period_of(month, since, until)
    return await statement.of_merchant(tx, caller, merchant_id, month, days)


async def _statement_items(
    merchant_id: PathId,
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    month: MonthQuery = None,
    since: DayQuery = None,
    until: DayQuery = None,
) -> Page[StatementItemOut]:
    days = statement.period_of(month, since, until)
    return await statement.items_of_merchant(tx, caller, merchant_id, days, page)


exports.beside(
    router,
    get_merchant_statement,
    Bilingual("商户对账单", "Merchant statement"),
    rows=_statement_items,
    org=_org_of,
)


MOVE = (MerchantNotFound, MerchantWrongState, OwnMerchant, OrgClosed)


@router.post(
    "/merchants/{merchant_id}/decision",
    operation_id="decideMerchant",
    **allow(ADMINISTRATOR, *MOVE, NotVisited, body=True, once=True),
)
async def decide_merchant(
    merchant_id: PathId, body: MerchantDecisionIn, tx: Tx, caller: CurrentPerson
) -> MerchantOut:
    """Approve or decline the application of a merchant; never one's own."""
    return await register.decide(tx, caller, merchant_id, body)


@router.post(
    "/merchants/{merchant_id}/status",
    operation_id="setMerchantStatus",
    **allow(ADMINISTRATOR, *MOVE, body=True, once=True),
)
async def set_merchant_status(
    merchant_id: PathId, body: MerchantStatusIn, tx: Tx, caller: CurrentPerson
) -> MerchantOut:
    """Suspend or resume a merchant; never one's own."""
    return await register.set_status(tx, caller, merchant_id, body)


@router.post(
    "/merchants/{merchant_id}/staff",
    status_code=201,
    operation_id="makeStaffCode",
    **allow(KEEPER, MerchantNotFound, MerchantWrongState, OrgClosed, once=True, seals=True),
)
@leads_to("acceptAppointment", {"body.code": "code"})
@no_store
async def make_staff_code(merchant_id: PathId, tx: Tx, caller: CurrentPerson) -> AppointmentOut:
    """Make an appointment code for the staff of the merchant: good once, for 10 minutes."""
    return await staff.make_code(tx, caller, merchant_id)


@router.get(
    "/merchants/{merchant_id}/staff",
    operation_id="listStaff",
    **allow(MERCHANT_READER, MerchantNotFound),
)
async def list_staff(merchant_id: PathId, tx: Reader, caller: CurrentPerson) -> StaffListOut:
    """Return the staff of a merchant, the oldest first; names are masked for auditors."""
    return await staff.browse(tx, caller, merchant_id)


@router.post(
    "/merchants/{merchant_id}/staff/removals",
    operation_id="removeStaff",
    **allow(KEEPER, MerchantNotFound, StaffNotFound, body=True, once=True),
)
async def remove_staff(
    merchant_id: PathId, body: RemovalIn, tx: Tx, caller: CurrentPerson
) -> StaffListOut:
    """End somebody's work at a merchant, at once."""
    return await staff.remove(tx, caller, merchant_id, body)
