"""Charges as their payer sees them: confirmed, refused, disputed; and disputes to decide."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ORGANIZER, READER, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Id, Nothing
from app.schemas.charges import DisputeDecisionIn, DisputeIn, DisputeOut, MyChargeOut
from app.services import charges
from app.services.cards import CardSuspended
from app.services.charges import ChargeNotFound
from app.services.ledger.types import InsufficientPoints
from app.services.merchants.access import MerchantSuspended
from app.services.orgs import OrgNotFound
from app.services.redemptions import confirming, disputes
from app.services.redemptions.confirming import ChargeNotWaiting
from app.services.redemptions.disputes import (
    ChargeNotDisputable,
    DisputedBefore,
    DisputeTooLate,
    NotDisputed,
    OwnDispute,
)
from app.services.redemptions.refunds import RefundTooLarge

ABOUT = Bilingual(
    "收款：付款人确认、拒绝与提出争议，组织处理争议",
    "Charges: confirmed, refused and disputed by their payer; disputes decided",
)
router = Router(tags=["charges"], about=ABOUT)


@router.get("/me/charges", operation_id="listMyCharges", **allow(RESIDENT))
async def list_my_charges(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    waiting: Annotated[
        bool, Query(description="True: only those that the caller can confirm now.")
    ] = False,
) -> Page[MyChargeOut]:
    """List what merchants charged the caller, newest first; a phone polls with `waiting`."""
    return await charges.mine(tx, person_id, page, waiting=waiting)


exports.beside(router, list_my_charges, Bilingual("我的付款", "My charges"))


@router.post(
    "/me/charges/{charge_id}/confirmation",
    operation_id="confirmCharge",
    **allow(
        RESIDENT,
        ChargeNotFound,
        ChargeNotWaiting,
        CardSuspended,
        MerchantSuspended,
        body=True,
        once=True,
    ),
)
async def confirm_charge(
    charge_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> MyChargeOut:
    """Confirm a charge within 60 s: its points, held until now, go to the merchant."""
    return await confirming.confirm(tx, person_id, charge_id)


@router.post(
    "/me/charges/{charge_id}/refusal",
    operation_id="refuseCharge",
    **allow(RESIDENT, ChargeNotFound, ChargeNotWaiting, body=True, once=True),
)
async def refuse_charge(
    charge_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> MyChargeOut:
    """Refuse a charge that waits: its points come back."""
    return await confirming.refuse(tx, person_id, charge_id)


@router.post(
    "/me/charges/{charge_id}/dispute",
    operation_id="disputeCharge",
    **allow(
        RESIDENT,
        ChargeNotFound,
        ChargeNotDisputable,
        DisputeTooLate,
        DisputedBefore,
        body=True,
        once=True,
    ),
)
async def dispute_charge(
    charge_id: PathId, body: DisputeIn, tx: Tx, person_id: CurrentPerson
) -> MyChargeOut:
    """Dispute a charge, once and within 30 days; its organisation decides."""
    return await disputes.dispute(tx, person_id, charge_id, body)


@router.get("/disputes", operation_id="listDisputes", **allow(READER, OrgNotFound))
async def list_disputes(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of merchants of this organisation and below it.")],
) -> Page[DisputeOut]:
    """Return the disputes of charges in a subtree, newest first."""
    return await disputes.browse(tx, person_id, org_id, page)


exports.beside(router, list_disputes, Bilingual("收款争议", "Disputes"))


@router.post(
    "/charges/{charge_id}/dispute/decision",
    operation_id="decideDispute",
    **allow(
        ORGANIZER,
        ChargeNotFound,
        OwnDispute,
        NotDisputed,
        RefundTooLarge,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
async def decide_dispute(
    charge_id: PathId, body: DisputeDecisionIn, tx: Tx, person_id: CurrentPerson
) -> DisputeOut:
    """Decide a dispute. Neither the payer nor the merchant's staff may decide."""
    return await disputes.decide(tx, person_id, charge_id, body)
