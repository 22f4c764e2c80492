"""A merchant's counter."""

from typing import Annotated

from fastapi import Query, Request, Response

from app.api import exports
from app.api.access import CODE_GUESS, MERCHANT_STAFF, allow, guessing
from app.api.context import person_of, runtime_of
from app.api.deps import AppRuntime, CurrentPerson, IdempotencyKey, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.redemptions import (
    ChargeIn,
    ChargeOut,
    CollectedOut,
    CollectIn,
    RefundIn,
    StatementItemOut,
    StatementOut,
)
from app.services import merchants
from app.services.ledger.types import InsufficientPoints
from app.services.redemptions import charges as redemptions_charges
from app.services.redemptions import reservations
from app.services.redemptions.charges import (
    CardCodeInvalid,
    CardCodeUsed,
    CardSuspended,
    ChargeAlreadyRefunded,
    ChargeCommand,
    ChargeNotFound,
)
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved

router = Router(prefix="/merchant", tags=["merchants"])
MonthQuery = Annotated[str, Query(pattern=r"^[0-9]{4}-[0-9]{2}$", max_length=7)]


@router.post(
    "/redemptions/collect",
    operation_id="collectRedemption",
    **allow(MERCHANT_STAFF, RedemptionNotFound, RedemptionNotReserved, body=True, once=True),
)
async def collect_redemption(
    body: CollectIn, tx: Tx, runtime: AppRuntime, person_id: CurrentPerson
) -> CollectedOut:
    """Hand over what a pick-up code stands for."""
    async with guessing(runtime, CODE_GUESS, str(person_id), RedemptionNotFound):
        return await reservations.collect(tx, person_id, body.pickup_code)


@router.post(
    "/charges",
    status_code=201,
    operation_id="charge",
    response_model=ChargeOut,
    **allow(
        MERCHANT_STAFF,
        CardCodeInvalid,
        CardCodeUsed,
        CardSuspended,
        InsufficientPoints,
        body=True,
        once_in_batch=True,
    ),
)
@leads_to("refundCharge", {"charge_id": "id"})
async def charge(body: ChargeIn, request: Request, once: IdempotencyKey) -> Response:
    """Take points with the code that a card shows."""
    command = ChargeCommand(person_of(request), body.card_code, body.points, body.note)
    charges = runtime_of(request).charges
    return await once.submit(charges, command, 201, guess=CODE_GUESS, wrong=CardCodeInvalid)


@router.post(
    "/charges/{charge_id}/refund",
    operation_id="refundCharge",
    **allow(
        MERCHANT_STAFF,
        ChargeNotFound,
        ChargeAlreadyRefunded,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
async def refund_charge(
    charge_id: PathId, body: RefundIn, tx: Tx, person_id: CurrentPerson
) -> ChargeOut:
    """Give a charge back in full."""
    return await redemptions_charges.refund(tx, person_id, charge_id, body.reason)


@router.get("/statement", operation_id="getStatement", **allow(MERCHANT_STAFF))
async def get_statement(tx: Reader, person_id: CurrentPerson, month: MonthQuery) -> StatementOut:
    """Return what the merchant took in a month (Asia/Shanghai)."""
    return await merchants.statement(tx, person_id, month)


async def _statement_items(
    tx: Reader, person_id: CurrentPerson, page: PageQuery, month: MonthQuery
) -> Page[StatementItemOut]:
    return await merchants.statement_items(tx, person_id, month, page)


exports.beside(
    router,
    get_statement,
    Bilingual("商户对账单", "Merchant statement"),
    rows=_statement_items,
    org=merchants.org_of_staff,
)
