"""A merchant's counter: previews, collections, charges, refunds, today, statements."""

from fastapi import Request, Response

from app.api import exports
from app.api.access import MERCHANT_STAFF, allow
from app.api.context import runtime_of, staff_of
from app.api.deps import (
    CurrentStaff,
    DayQuery,
    IdempotencyKey,
    MonthQuery,
    PageQuery,
    Reader,
    Tx,
)
from app.api.guesses import CODE_GUESS, Guess, count_at_merchant
from app.api.operations import direct, leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.charges import CounterChargeOut
from app.schemas.counters import (
    ChargePreviewIn,
    ChargePreviewOut,
    CollectionPreviewOut,
    TodayOut,
)
from app.schemas.redemptions import (
    ChargeIn,
    ChargeOut,
    CollectedOut,
    CollectIn,
    RefundIn,
    StatementItemOut,
    StatementOut,
    UndoIn,
    UndoneOut,
)
from app.services import charges, counters
from app.services.cards import CardSuspended
from app.services.charges import ChargeNotFound
from app.services.code_locks import CodesLocked
from app.services.ledger.types import InsufficientPoints
from app.services.merchants import access, statement
from app.services.merchants.access import MerchantSuspended
from app.services.people import PersonMerged
from app.services.redemptions import refunds, undoing
from app.services.redemptions.card_codes import CardCodeInvalid, CardCodeUsed
from app.services.redemptions.charge_caps import CapReached
from app.services.redemptions.charges import ChargeCommand, OwnCharge
from app.services.redemptions.collecting import CollectCommand, OwnRedemption
from app.services.redemptions.refunds import (
    ChargeAlreadyRefunded,
    ChargeNotPaid,
    RefundTooLarge,
)
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved
from app.services.redemptions.undoing import NotCollected, UndoTooLate, WithoutCounter

ABOUT = Bilingual(
    "商户柜台：预览、核销、收取积分、退还、今日与结算单",
    "A merchant's counter: previews, collections, charges, refunds, today and statements",
)
router = Router(prefix="/merchant", tags=["counters"], about=ABOUT)


@router.post(
    "/redemptions/collect",
    operation_id="collectRedemption",
    response_model=CollectedOut,
    **allow(
        MERCHANT_STAFF,
        RedemptionNotFound,
        RedemptionNotReserved,
        CardSuspended,
        MerchantSuspended,
        OwnRedemption,
        body=True,
        once_in_batch=True,
        guess=Guess(CODE_GUESS, RedemptionNotFound),
    ),
)
@direct
async def collect_redemption(body: CollectIn, request: Request, once: IdempotencyKey) -> Response:
    """Collect a reserved reward by its pick-up code."""
    staff = staff_of(request)
    command = CollectCommand(staff.person_id, body.pickup_code, staff.merchant_id)
    return await once.submit(runtime_of(request).collections, command, 200)


@router.post(
    "/redemptions/preview",
    operation_id="previewCollection",
    **allow(
        MERCHANT_STAFF,
        RedemptionNotFound,
        RedemptionNotReserved,
        CardSuspended,
        MerchantSuspended,
        OwnRedemption,
        body=True,
        guess=Guess(CODE_GUESS, RedemptionNotFound),
    ),
)
async def preview_collection(body: CollectIn, tx: Tx, staff: CurrentStaff) -> CollectionPreviewOut:
    """Tell what a pick-up code is for, and whose it is, without collecting."""
    return await counters.preview_collection(tx, staff, body.pickup_code)


@router.post(
    "/redemptions/{redemption_id}/undo",
    operation_id="undoCollection",
    **allow(
        MERCHANT_STAFF,
        RedemptionNotFound,
        NotCollected,
        OwnRedemption,
        WithoutCounter,
        UndoTooLate,
        InsufficientPoints,
        PersonMerged,
        body=True,
        once=True,
    ),
)
async def undo_collection(
    redemption_id: PathId, body: UndoIn, tx: Tx, staff: CurrentStaff
) -> UndoneOut:
    """Undo a collection of the last ten minutes; the reward is reserved again."""
    return await undoing.undo(tx, staff, redemption_id, body.reason)


@router.post(
    "/charges/preview",
    operation_id="previewCharge",
    **allow(
        MERCHANT_STAFF,
        CardCodeInvalid,
        CardCodeUsed,
        CodesLocked,
        CardSuspended,
        MerchantSuspended,
        OwnCharge,
        body=True,
        guess=Guess(CODE_GUESS, CardCodeInvalid, then=count_at_merchant),
    ),
)
async def preview_charge(body: ChargePreviewIn, tx: Tx, staff: CurrentStaff) -> ChargePreviewOut:
    """Tell whose card a code would charge, without using it up."""
    return await counters.preview_charge(tx, staff, body)


@router.post(
    "/charges",
    status_code=201,
    operation_id="charge",
    response_model=ChargeOut,
    **allow(
        MERCHANT_STAFF,
        CardCodeInvalid,
        CardCodeUsed,
        CodesLocked,
        CardSuspended,
        MerchantSuspended,
        OwnCharge,
        CapReached,
        InsufficientPoints,
        body=True,
        once_in_batch=True,
        guess=Guess(CODE_GUESS, CardCodeInvalid, then=count_at_merchant),
    ),
)
@leads_to("refundCharge", {"charge_id": "id"})
@leads_to("getCharge", {"charge_id": "id"})
@direct
async def charge(body: ChargeIn, request: Request, once: IdempotencyKey) -> Response:
    """Charge points with the code of a card; a large charge waits for the payer."""
    staff = staff_of(request)
    command = ChargeCommand(
        staff.person_id, body.card_code, body.points, body.note, staff.merchant_id
    )
    return await once.submit(runtime_of(request).charges, command, 201)


@router.get(
    "/charges/{charge_id}", operation_id="getCharge", **allow(MERCHANT_STAFF, ChargeNotFound)
)
async def get_charge(charge_id: PathId, tx: Reader, staff: CurrentStaff) -> CounterChargeOut:
    """Return a charge: a counter polls it while it waits for its payer."""
    return await charges.at_counter(tx, staff, charge_id)


@router.post(
    "/charges/{charge_id}/refund",
    operation_id="refundCharge",
    **allow(
        MERCHANT_STAFF,
        ChargeNotFound,
        OwnCharge,
        ChargeNotPaid,
        ChargeAlreadyRefunded,
        RefundTooLarge,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
async def refund_charge(
    charge_id: PathId, body: RefundIn, tx: Tx, staff: CurrentStaff
) -> ChargeOut:
    """Refund a charge, all that is left of it or a part."""
    return await refunds.refund(tx, staff, charge_id, body)


@router.get("/today", operation_id="getToday", **allow(MERCHANT_STAFF))
async def get_today(tx: Reader, staff: CurrentStaff) -> TodayOut:
    """Return today's takings (Asia/Shanghai) and what they are made of."""
    return await counters.today(tx, staff)


@router.get("/statement", operation_id="getStatement", **allow(MERCHANT_STAFF))
async def get_statement(
    tx: Reader,
    staff: CurrentStaff,
    month: MonthQuery = None,
    since: DayQuery = None,
    until: DayQuery = None,
) -> StatementOut:
    """Return the merchant's statement of a month, or of any days, both inclusive."""
    days = statement.period_of(month, since, until)
    return await statement.statement(tx, staff, month, days)


async def _statement_items(
    tx: Reader,
    staff: CurrentStaff,
    page: PageQuery,
    month: MonthQuery = None,
    since: DayQuery = None,
    until: DayQuery = None,
) -> Page[StatementItemOut]:
    days = statement.period_of(month, since, until)
    return await statement.statement_items(tx, staff, days, page)


exports.beside(
    router,
    get_statement,
    Bilingual("商户对账单", "Merchant statement"),
    rows=_statement_items,
    org=access.org_of_staff,
)
