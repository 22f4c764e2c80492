"""The 公益银行 of an organisation: receipts and public figures."""

from asyncio import to_thread
from io import BytesIO
from typing import Annotated

from fastapi import Query, Response

from app.api import exports
from app.api.access import ADMINISTRATOR, ANYONE, allow
from app.api.deps import (
    CurrentPerson,
    PageQuery,
    PublicUrl,
    StaleReader,
    Tx,
    UnitQuery,
)
from app.api.downloads import Download
from app.api.routes import API, Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.funds import (
    FundMonthOut,
    FundOut,
    ReceiptDecisionIn,
    ReceiptIn,
    ReceiptOut,
    ReceiptReversalIn,
)
from app.services import fund_periods, fund_receipts, funds
from app.services.funds import OwnReversal, ReceiptNotFound, ReceiptWrongState
from app.services.ledger.types import InsufficientPoints
from app.services.ledger.units import UnitUnknown
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual("公益银行：收入记录与公开数据", "Funds: receipts and public figures")
router = Router(tags=["funds"], about=ABOUT)


class Pdf(Download):
    media_type, suffix = "application/pdf", ".pdf"


FundUnitQuery = Annotated[
    UnitQuery | None, Query(description="Code of a unit; by default that of the programme.")
]


@router.get(
    "/orgs/{org_id}/fund", operation_id="getFund", **allow(ANYONE, OrgNotFound, UnitUnknown)
)
async def get_fund(
    org_id: PathId,
    tx: StaleReader,
    month: Annotated[
        str | None,
        Query(
            pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$",
            description="A month of Asia/Shanghai: `2026-11`; by default the running one.",
        ),
    ] = None,
    unit: FundUnitQuery = None,
    subtree: Annotated[bool, Query(description="With the organisations below it.")] = False,
) -> FundOut:
    """Return the public figures at the end of a month; for the running month until `as_of`.

    They are written every five minutes. A month that has not begun is refused.
    """
    return await fund_periods.figures(tx, org_id, month, unit, subtree=subtree)


@router.get(
    "/orgs/{org_id}/fund/receipts",
    operation_id="listFundReceipts",
    **allow(ANYONE, OrgNotFound),
)
async def list_fund_receipts(org_id: PathId, tx: StaleReader, page: PageQuery) -> Page[ReceiptOut]:
    """Return donations and budgets, newest first."""
    return await funds.receipts(tx, org_id, page)


exports.beside(router, list_fund_receipts, Bilingual("公益银行收入", "Fund receipts"))


@router.get(
    "/orgs/{org_id}/fund/receipts/{receipt_id}",
    operation_id="getFundReceipt",
    **allow(ANYONE, OrgNotFound, ReceiptNotFound),
)
async def get_fund_receipt(org_id: PathId, receipt_id: PathId, tx: StaleReader) -> ReceiptOut:
    """Return a donation or a budget."""
    return await funds.receipt(tx, org_id, receipt_id)


@router.get(
    "/orgs/{org_id}/fund/receipts/{receipt_id}/file",
    operation_id="getFundReceiptFile",
    response_class=Pdf,
    **allow(ANYONE, OrgNotFound, ReceiptNotFound),
)
async def get_fund_receipt_file(
    org_id: PathId, receipt_id: PathId, tx: StaleReader, public_url: PublicUrl
) -> Response:
    """Return a receipt as PDF for its giver, with a QR code of the address that shows it."""
    slip = await fund_receipts.slip(tx, org_id, receipt_id)
    url = f"{public_url or ''}{API}/orgs/{org_id}/fund/receipts/{receipt_id}"
    pdf = await to_thread(fund_receipts.draw, slip, url)
    return Pdf(BytesIO(pdf), f"{slip.title}_{receipt_id}", f"receipt_{receipt_id}")


@router.get(
    "/orgs/{org_id}/fund/months",
    operation_id="listFundMonths",
    **allow(ANYONE, OrgNotFound, UnitUnknown),
)
async def list_fund_months(
    org_id: PathId, tx: StaleReader, page: PageQuery, unit: FundUnitQuery = None
) -> Page[FundMonthOut]:
    """Return the months of a fund, newest first: opening, movements, closing, closed or not."""
    return await fund_periods.months(tx, org_id, unit, page)


exports.beside(router, list_fund_months, Bilingual("公益银行月报", "Fund months"))


@router.post(
    "/orgs/{org_id}/fund/receipts",
    status_code=201,
    operation_id="receiveIntoFund",
    **allow(ADMINISTRATOR, OrgNotFound, OrgClosed, body=True, once=True),
)
async def receive_into_fund(
    org_id: PathId, body: ReceiptIn, tx: Tx, person_id: CurrentPerson
) -> ReceiptOut:
    """Record a donation or a budget; awards that wait for it are paid, oldest first."""
    return await funds.receive(tx, person_id, org_id, body)


@router.post(
    "/orgs/{org_id}/fund/receipts/{receipt_id}/reversal",
    operation_id="proposeReceiptReversal",
    **allow(ADMINISTRATOR, ReceiptNotFound, ReceiptWrongState, body=True, once=True),
)
async def propose_receipt_reversal(
    org_id: PathId, receipt_id: PathId, body: ReceiptReversalIn, tx: Tx, person_id: CurrentPerson
) -> ReceiptOut:
    """Propose to reverse a receipt that was mistyped; another administrator must confirm it."""
    return await funds.propose_reversal(tx, person_id, org_id, receipt_id, body)


@router.post(
    "/orgs/{org_id}/fund/receipts/{receipt_id}/reversal/decision",
    operation_id="decideReceiptReversal",
    **allow(
        ADMINISTRATOR,
        ReceiptNotFound,
        OwnReversal,
        ReceiptWrongState,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
async def decide_receipt_reversal(
    org_id: PathId, receipt_id: PathId, body: ReceiptDecisionIn, tx: Tx, person_id: CurrentPerson
) -> ReceiptOut:
    """Confirm a reversal, while the fund has its points; or let the receipt stand."""
    return await funds.decide_reversal(tx, person_id, org_id, receipt_id, body)
