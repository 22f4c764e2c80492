"""A merchant's counter."""

from typing import Annotated

from fastapi import Query, Response

from app.core.clock import now
from app.core.ids import PathId
from app.core.outcomes import single
from app.core.routes import Router
from app.deps import (
    CODE_GUESS,
    KEY_REFUSALS,
    MERCHANT_STAFF,
    AppRuntime,
    CurrentPerson,
    IdempotencyKey,
    Reader,
    Tx,
    allow,
    guessing,
)
from app.schemas.redemptions import (
    ChargeIn,
    ChargeOut,
    CollectedOut,
    CollectIn,
    RefundIn,
    StatementOut,
)
from app.services import merchants, redemptions
from app.services.ledger import InsufficientPoints
from app.services.redemptions import (
    CardCodeInvalid,
    CardCodeUsed,
    CardSuspended,
    ChargeAlreadyRefunded,
    ChargeNotFound,
    RedemptionNotFound,
    RedemptionNotReserved,
)

router = Router(prefix="/merchant", tags=["merchants"])


@router.post(
    "/redemptions/collect",
    operation_id="collectRedemption",
    response_model=CollectedOut,
    **allow(MERCHANT_STAFF, RedemptionNotFound, RedemptionNotReserved, *KEY_REFUSALS, body=True),
)
async def collect_redemption(
    body: CollectIn, tx: Tx, runtime: AppRuntime, person_id: CurrentPerson, once: IdempotencyKey
) -> Response:
    """Hand over what a pick-up code stands for."""

    async def work() -> CollectedOut:
        async with guessing(runtime, CODE_GUESS, str(person_id), RedemptionNotFound):
            return await redemptions.collect(tx, person_id, body.pickup_code)

    return await once.run(tx, 200, work)


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
        *KEY_REFUSALS,
        body=True,
    ),
)
async def charge(
    body: ChargeIn, tx: Tx, runtime: AppRuntime, person_id: CurrentPerson, once: IdempotencyKey
) -> Response:
    """Take points with the code that a card shows."""

    async def work() -> ChargeOut:
        command = await redemptions.command_for(tx, person_id, **body.model_dump())
        async with guessing(runtime, CODE_GUESS, str(person_id), CardCodeInvalid):
            return single(await redemptions.charge(tx, [command], now()))

    return await once.run(tx, 201, work)


@router.post(
    "/charges/{charge_id}/refund",
    operation_id="refundCharge",
    response_model=ChargeOut,
    **allow(
        MERCHANT_STAFF,
        ChargeNotFound,
        ChargeAlreadyRefunded,
        InsufficientPoints,
        *KEY_REFUSALS,
        body=True,
    ),
)
async def refund_charge(
    charge_id: PathId, body: RefundIn, tx: Tx, person_id: CurrentPerson, once: IdempotencyKey
) -> Response:
    """Give a charge back in full."""
    return await once.run(
        tx, 200, lambda: redemptions.refund(tx, person_id, charge_id, body.reason)
    )


@router.get("/statement", operation_id="getStatement", **allow(MERCHANT_STAFF))
async def get_statement(
    tx: Reader,
    person_id: CurrentPerson,
    month: Annotated[str, Query(pattern=r"^[0-9]{4}-[0-9]{2}$", max_length=7)],
) -> StatementOut:
    """Return what the merchant took in a month (Asia/Shanghai)."""
    return await merchants.statement(tx, person_id, month)
