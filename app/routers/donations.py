"""Points given to the 公益银行, and the honour mark for it."""

from typing import Annotated

from fastapi import Query

from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, StaleReader, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.donations import (
    DonationIn,
    DonationOut,
    HonouredListOut,
    HonourIn,
    HonourOut,
)
from app.services import donations
from app.services.cards import CardSuspended
from app.services.donations import NotDonation
from app.services.ledger.types import InsufficientPoints
from app.services.orgs import OrgNotFound
from app.services.rewards.reading import (
    LimitReached,
    OutOfStock,
    RewardNotFound,
    RewardNotOffered,
    TierTooLow,
)

ABOUT = Bilingual("向公益银行捐赠积分与爱心标识", "Points given to a fund, and the honour mark")
router = Router(tags=["donations"], about=ABOUT)


@router.post(
    "/donations",
    status_code=201,
    operation_id="donatePoints",
    **allow(
        RESIDENT,
        RewardNotFound,
        RewardNotOffered,
        CardSuspended,
        TierTooLow,
        LimitReached,
        OutOfStock,
        InsufficientPoints,
        NotDonation,
        body=True,
        once=True,
    ),
)
async def donate_points(body: DonationIn, tx: Tx, person_id: CurrentPerson) -> DonationOut:
    """Give points to the fund of an organisation, without a counter."""
    return await donations.give(tx, person_id, body)


@router.get("/me/honour", operation_id="getMyHonour", **allow(RESIDENT))
async def get_my_honour(tx: Reader, person_id: CurrentPerson) -> HonourOut:
    """Return the caller's honour mark of the running year, and whether others may see it."""
    return await donations.honour(tx, person_id)


@router.put("/me/honour", operation_id="chooseHonour", **allow(RESIDENT, body=True))
async def choose_honour(body: HonourIn, tx: Tx, person_id: CurrentPerson) -> HonourOut:
    """Let public lists show the caller's honour mark, or hide it."""
    return await donations.choose(tx, person_id, body)


@router.get("/orgs/{org_id}/honours", operation_id="listHonours", **allow(ANYONE, OrgNotFound))
async def list_honours(
    org_id: PathId,
    tx: StaleReader,
    year: Annotated[
        int | None, Query(ge=2000, le=2098, description="Of this year; else of the running one.")
    ] = None,
) -> HonouredListOut:
    """Return who has the honour mark by what was given in an organisation's subtree."""
    return await donations.honoured(tx, org_id, year)
