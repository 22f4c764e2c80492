"""Settlements: what organisations owe merchants for a month, disputed lines, payments."""

import io
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from app.api import exports
from app.api.access import KEEPER, MERCHANT_READER, MERCHANT_STAFF, ORGANIZER, READER, allow
from app.api.deps import (
    CurrentPerson,
    CurrentStaff,
    MerchantFilter,
    MonthQuery,
    PageQuery,
    Reader,
    Tx,
)
from app.api.downloads import PrintedPage
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.settlements import SettlementState
from app.schemas.base import OrgId
from app.schemas.settlements import (
    DisputeAnswerIn,
    MerchantMonthOut,
    MerchantMonthsOut,
    Month,
    PaymentIn,
    SettlementDetailOut,
    SettlementDisputeIn,
    SettlementDisputeOut,
    SettlementIn,
    SettlementLineOut,
    SettlementOut,
)
from app.services.merchants import access, statement
from app.services.merchants.access import MerchantNotFound
from app.services.orgs import OrgNotFound
from app.services.settlements import disputes, page, reading, settling
from app.services.settlements.disputes import (
    CorrectionTooLarge,
    DisputeNotFound,
    DisputeTooLate,
    DisputeWrongState,
    LineDisputed,
    LineNotFound,
)
from app.services.settlements.reading import SettlementNotFound
from app.services.settlements.settling import (
    EarlierMonthOpen,
    MonthSettled,
    NothingDue,
    NothingToSettle,
    OwnSettlement,
    SettlementTooEarly,
    SettlementWrongState,
)

ABOUT = Bilingual(
    "商户月度结算：应付金额、争议、付款登记与更正",
    "Monthly settlements with merchants: amounts due, disputes, payments, corrections",
)
router = Router(tags=["settlements"], about=ABOUT)
MonthParameter = Annotated[Month, Query(description="A month of Asia/Shanghai: `2026-11`.")]


@router.post(
    "/settlements",
    status_code=201,
    operation_id="settleMonth",
    **allow(
        ORGANIZER,
        OrgNotFound,
        MerchantNotFound,
        OwnSettlement,
        SettlementTooEarly,
        MonthSettled,
        EarlierMonthOpen,
        NothingToSettle,
        body=True,
        once=True,
    ),
)
@leads_to("markSettlementPaid", {"settlement_id": "id"})
@leads_to("getSettlement", {"settlement_id": "id"})
async def settle_month(body: SettlementIn, tx: Tx, caller: CurrentPerson) -> SettlementDetailOut:
    """Settle a month of a merchant that is over; it never changes afterwards."""
    return await settling.settle(tx, caller, body)


@router.get("/settlements", operation_id="listSettlements", **allow(READER, OrgNotFound))
async def list_settlements(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    merchant_id: MerchantFilter = None,
    state: Annotated[SettlementState | None, Query(description="Only in this state.")] = None,
) -> Page[SettlementOut]:
    """Return the settlements of an organisation's subtree, newest first."""
    return await reading.browse(tx, caller, org_id, merchant_id, state, page)


exports.beside(router, list_settlements, Bilingual("商户结算", "Settlements"))


@router.get("/merchant/settlements", operation_id="listOurSettlements", **allow(MERCHANT_STAFF))
async def list_our_settlements(
    tx: Reader, staff: CurrentStaff, page: PageQuery
) -> Page[SettlementOut]:
    """Return the settlements of the caller's merchant, of every organisation, newest first."""
    return await reading.of_staff(tx, staff, page)


exports.beside(
    router, list_our_settlements, Bilingual("结算", "Settlements"), org=access.org_of_staff
)


@router.get("/merchant/month", operation_id="getOurMonth", **allow(MERCHANT_STAFF))
async def get_our_month(
    tx: Reader, staff: CurrentStaff, month: MonthQuery = None
) -> MerchantMonthsOut:
    """Return a month of the caller's merchant under each organisation, by default this one."""
    if month is not None:
        statement.period_of(month, None, None)
    return await reading.months_of_staff(tx, staff, month)


@router.get(
    "/merchants/{merchant_id}/month",
    operation_id="getMerchantMonth",
    **allow(READER, OrgNotFound, MerchantNotFound),
)
async def get_merchant_month(
    merchant_id: PathId, tx: Reader, caller: CurrentPerson, org_id: OrgId, month: MonthParameter
) -> MerchantMonthOut:
    """Return a month of a merchant under an organisation: settled, or as it stands now."""
    return await reading.month_of_merchant(tx, caller, merchant_id, org_id, month)


@router.get(
    "/settlements/{settlement_id}",
    operation_id="getSettlement",
    **allow(MERCHANT_READER, SettlementNotFound),
)
async def get_settlement(
    settlement_id: PathId, tx: Reader, caller: CurrentPerson
) -> SettlementDetailOut:
    """Return a settlement with its parts, disputes and corrections."""
    return await reading.show(tx, caller, settlement_id)


@router.get(
    "/settlements/{settlement_id}/lines",
    operation_id="listSettlementLines",
    **allow(MERCHANT_READER, SettlementNotFound),
)
async def list_settlement_lines(
    settlement_id: PathId, tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[SettlementLineOut]:
    """Return the lines of a settlement, newest first."""
    return await reading.lines(tx, caller, settlement_id, page)


exports.beside(
    router, list_settlement_lines, Bilingual("结算明细", "Settlement"), org=reading.org_of
)


@router.get(
    "/settlements/{settlement_id}/page.html",
    operation_id="getSettlementPage",
    response_class=PrintedPage,
    **allow(MERCHANT_READER, SettlementNotFound),
)
async def get_settlement_page(settlement_id: PathId, tx: Reader, caller: CurrentPerson) -> Response:
    """Return a settlement as an HTML page for printing on A4."""
    title, html = await page.page(tx, caller, settlement_id)
    return PrintedPage(io.BytesIO(html), f"结算单_{title}", "settlement")


@router.post(
    "/settlements/{settlement_id}/payment",
    operation_id="markSettlementPaid",
    **allow(
        ORGANIZER,
        SettlementNotFound,
        OwnSettlement,
        NothingDue,
        SettlementWrongState,
        body=True,
        once=True,
    ),
)
async def mark_settlement_paid(
    settlement_id: PathId, body: PaymentIn, tx: Tx, caller: CurrentPerson
) -> SettlementDetailOut:
    """Mark a settlement as paid; never by the merchant's staff."""
    return await settling.mark_paid(tx, caller, settlement_id, body)


@router.post(
    "/settlements/{settlement_id}/disputes",
    status_code=201,
    operation_id="disputeLine",
    **allow(
        KEEPER,
        SettlementNotFound,
        LineNotFound,
        LineDisputed,
        DisputeTooLate,
        body=True,
        once=True,
    ),
)
@leads_to("answerDispute", {"settlement_id": "settlement_id", "dispute_id": "id"})
async def dispute_line(
    settlement_id: PathId, body: SettlementDisputeIn, tx: Tx, caller: CurrentPerson
) -> SettlementDisputeOut:
    """Dispute a line of a settled month, for either side."""
    return await disputes.open_dispute(tx, caller, settlement_id, body)


@router.post(
    "/settlements/{settlement_id}/disputes/{dispute_id}/answer",
    operation_id="answerDispute",
    **allow(
        ORGANIZER,
        DisputeNotFound,
        OwnSettlement,
        DisputeWrongState,
        CorrectionTooLarge,
        body=True,
        once=True,
    ),
)
async def answer_dispute(
    settlement_id: PathId, dispute_id: PathId, body: DisputeAnswerIn, tx: Tx, caller: CurrentPerson
) -> SettlementDisputeOut:
    """Decide a dispute; the next settlement has the correction of an upheld one."""
    return await disputes.answer(tx, caller, settlement_id, dispute_id, body)
