"""Redemptions: the caller's own, and those of a subtree."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import READER, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.downloads import QrPicture
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.redemptions import RedemptionStatus
from app.schemas.base import Id, Nothing
from app.schemas.redemptions import (
    MyRedemptionOut,
    MyRedemptionPlaceOut,
    RedemptionCaseOut,
    RedemptionIn,
    RedemptionOut,
)
from app.services.cards import CardSuspended
from app.services.day_orders import cancelling
from app.services.ledger.types import InsufficientPoints
from app.services.orgs import OrgNotFound
from app.services.redemption_days.reading import RedemptionDayNotOpen
from app.services.redemptions import codes, reading, reservations
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved
from app.services.rewards.reading import (
    LimitReached,
    OutOfStock,
    RewardNotFound,
    RewardNotOffered,
    TierTooLow,
)

ABOUT = Bilingual(
    "兑换：预约、取消、本人记录与组织内的记录",
    "Redemptions: reserved and cancelled by the caller; those of an organisation",
)
router = Router(tags=["redemptions"], about=ABOUT)
StatusQuery = Annotated[
    RedemptionStatus | None, Query(description="Only those in this state; else all.")
]
MerchantQuery = Annotated[Id | None, Query(description="Only those at this merchant; else all.")]


@router.post(
    "/redemptions",
    status_code=201,
    operation_id="redeem",
    **allow(
        RESIDENT,
        RewardNotFound,
        RewardNotOffered,
        CardSuspended,
        TierTooLow,
        LimitReached,
        OutOfStock,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
@leads_to("cancelRedemption", {"redemption_id": "id"})
@leads_to("collectRedemption", {"body.pickup_code": "pickup_code"})
@no_store
async def redeem(body: RedemptionIn, tx: Tx, person_id: CurrentPerson) -> RedemptionOut:
    """Reserve a reward: the points are held until it is collected or cancelled."""
    return await reservations.reserve(tx, person_id, body)


@router.post(
    "/redemptions/{redemption_id}/cancel",
    operation_id="cancelRedemption",
    **allow(RESIDENT, RedemptionNotFound, RedemptionNotReserved, RedemptionDayNotOpen, body=True),
)
@no_store
async def cancel_redemption(
    redemption_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> RedemptionOut:
    """Cancel a reservation; its points are available again.

    Not an order of a redemption day whose counters work without network, once devices may have
    their lists: from ``closes_at`` on, but at most 24 hours before ``starts_at``. The fact
    ``closes_at`` of the refusal says until when it could be cancelled.
    """
    return await cancelling.cancel(tx, person_id, redemption_id)


@router.get(
    "/redemptions/{redemption_id}/pickup-code.svg",
    operation_id="getPickupCodeSvg",
    response_class=QrPicture,
    **allow(RESIDENT, RedemptionNotFound, RedemptionNotReserved),
)
@no_store
async def get_pickup_code_svg(
    redemption_id: PathId, tx: Reader, person_id: CurrentPerson
) -> QrPicture:
    """Return the code of the caller's reservation as a QR picture for the counter."""
    return QrPicture.of(await codes.mine(tx, person_id, redemption_id))


@router.get("/me/redemptions", operation_id="listMyRedemptions", **allow(RESIDENT))
@no_store
async def list_my_redemptions(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[MyRedemptionPlaceOut]:
    """List the caller's redemptions with pick-up codes and shops, newest first."""
    return await reading.mine_with_shops(tx, person_id, page)


async def _my_redemptions(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[MyRedemptionOut]:
    """Return the list without the shops."""
    return await reading.mine(tx, person_id, page)


exports.beside(
    router, list_my_redemptions, Bilingual("我的兑换", "My redemptions"), rows=_my_redemptions
)


@router.get("/redemptions", operation_id="listRedemptions", **allow(READER, OrgNotFound))
async def list_redemptions(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Id,
    status: StatusQuery = None,
    merchant_id: MerchantQuery = None,
) -> Page[RedemptionCaseOut]:
    """Return the redemptions at the merchants of a subtree, newest first, without their codes."""
    return await reading.browse(tx, person_id, org_id, status, merchant_id, page)


exports.beside(router, list_redemptions, Bilingual("兑换记录", "Redemptions"))
