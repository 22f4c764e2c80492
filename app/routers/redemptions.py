"""Redemptions of the caller."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.paging import Page
from app.schemas.base import Nothing
from app.schemas.redemptions import RedemptionIn, RedemptionOut
from app.services.ledger.types import InsufficientPoints
from app.services.redemptions import reservations
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved
from app.services.rewards import LimitReached, OutOfStock, RewardNotFound, TierTooLow

router = Router(tags=["redemptions"])


@router.post(
    "/redemptions",
    status_code=201,
    operation_id="redeem",
    **allow(
        RESIDENT,
        RewardNotFound,
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
async def redeem(body: RedemptionIn, tx: Tx, person_id: CurrentPerson) -> RedemptionOut:
    """Reserve a reward: the points are held until it is collected or given up."""
    return await reservations.reserve(tx, person_id, body)


@router.post(
    "/redemptions/{redemption_id}/cancel",
    operation_id="cancelRedemption",
    **allow(RESIDENT, RedemptionNotFound, RedemptionNotReserved, body=True),
)
async def cancel_redemption(
    redemption_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> RedemptionOut:
    """Give a reservation up; the points are available again."""
    return await reservations.cancel(tx, person_id, redemption_id)


@router.get("/me/redemptions", operation_id="listMyRedemptions", **allow(RESIDENT))
async def list_my_redemptions(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[RedemptionOut]:
    """List the caller's redemptions with their pick-up codes, newest first."""
    return await reservations.mine(tx, person_id, page)
