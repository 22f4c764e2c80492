"""Rewards: the list, and how organizers edit it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, READER, allow
from app.api.deps import (
    Caller,
    CurrentPerson,
    IfMatch,
    MerchantFilter,
    OrgFilter,
    PageQuery,
    Reader,
    StaleReader,
    Tx,
)
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.rewards import RewardState
from app.schemas.offers import OfferedRewardDetailOut, OfferedRewardOut
from app.schemas.rewards import (
    RewardChangedOut,
    RewardDetailOut,
    RewardEditIn,
    RewardIn,
    RewardOut,
    RewardStatusIn,
    StockMovedOut,
    StockMovementIn,
    StockMovementOut,
)
from app.services.coverages import PricesFrozen
from app.services.merchants.access import MerchantNotFound, MerchantWrongState
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.redemptions import offers
from app.services.rewards import editing, reading
from app.services.rewards.editing import RewardKeyTaken, RewardWrongState, StockKindFixed
from app.services.rewards.prices import PricedByList, PriceStep
from app.services.rewards.reading import OutOfStock, RewardNotFound

ABOUT = Bilingual("可兑换的商品", "Rewards that points are spent on")
router = Router(tags=["rewards"], about=ABOUT)


@router.get("/rewards", operation_id="listRewards", **allow(ANYONE, OrgNotFound))
@leads_to("redeem", {"body.reward_id": "items/0/id"})
async def list_rewards(
    tx: StaleReader,
    caller: Caller,
    page: PageQuery,
    org_id: OrgFilter = None,
    merchant_id: MerchantFilter = None,
) -> Page[OfferedRewardOut]:
    """List rewards, with their remaining stock and whether the caller could reserve one."""
    return await offers.browse(tx, caller, org_id, merchant_id, page)


async def _rewards(
    tx: StaleReader,
    page: PageQuery,
    org_id: OrgFilter = None,
    merchant_id: MerchantFilter = None,
) -> Page[RewardOut]:
    """Return the list without what concerns the caller."""
    return await reading.browse(tx, org_id, merchant_id, page)


exports.beside(router, list_rewards, Bilingual("奖品", "Rewards"), rows=_rewards)


@router.post(
    "/rewards",
    status_code=201,
    operation_id="createReward",
    **allow(
        ORGANIZER, MerchantNotFound, OrgClosed, PriceStep, RewardKeyTaken, body=True, once=True
    ),
)
@leads_to("setRewardStatus", {"reward_id": "id"})
@leads_to("editReward", {"reward_id": "id"})
async def create_reward(body: RewardIn, tx: Tx, caller: CurrentPerson) -> RewardDetailOut:
    """Draft a reward of a merchant; pictures are its attachments."""
    return await editing.create(tx, caller, body)


@router.get("/orgs/{org_id}/rewards", operation_id="listAllRewards", **allow(READER, OrgNotFound))
async def list_all_rewards(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: PathId,
    state: Annotated[RewardState | None, Query(description="Only in this state.")] = None,
) -> Page[RewardDetailOut]:
    """Return the rewards of an organisation's subtree, drafts and withdrawn ones too."""
    return await reading.browse_all(tx, caller, org_id, state, page)


exports.beside(router, list_all_rewards, Bilingual("全部奖品", "All rewards"))


@router.get("/rewards/{reward_id}", operation_id="getReward", **allow(ANYONE, RewardNotFound))
async def get_reward(reward_id: PathId, tx: Reader, caller: Caller) -> OfferedRewardDetailOut:
    """Return a reward with its terms; a draft only to those who edit or audit it."""
    return await offers.show(tx, caller, reward_id)


@router.put(
    "/rewards/{reward_id}",
    operation_id="editReward",
    **allow(
        ORGANIZER,
        RewardNotFound,
        PriceStep,
        PricedByList,
        PricesFrozen,
        StockKindFixed,
        OutOfStock,
        body=True,
        if_match=True,
    ),
)
async def edit_reward(
    reward_id: PathId, body: RewardEditIn, version: IfMatch, tx: Tx, caller: CurrentPerson
) -> RewardChangedOut:
    """Replace the terms of a reward. What is reserved keeps its price and its goods."""
    return await editing.edit(tx, caller, reward_id, version, body)


SET_STATUS = (RewardNotFound, OrgClosed, PricesFrozen, RewardWrongState, MerchantWrongState)


@router.post(
    "/rewards/{reward_id}/status",
    operation_id="setRewardStatus",
    **allow(ORGANIZER, *SET_STATUS, body=True, once=True),
)
async def set_reward_status(
    reward_id: PathId, body: RewardStatusIn, tx: Tx, caller: CurrentPerson
) -> RewardDetailOut:
    """Offer a reward, again or for the first time; or no more: what is reserved is collected."""
    if body.status == RewardState.published:
        return await editing.publish(tx, caller, reward_id, body.reason)
    return await editing.withdraw(tx, caller, reward_id, body.reason)


@router.post(
    "/rewards/{reward_id}/stock",
    status_code=201,
    operation_id="moveStock",
    **allow(ORGANIZER, RewardNotFound, OutOfStock, body=True, once=True),
)
async def move_stock(
    reward_id: PathId, body: StockMovementIn, tx: Tx, caller: CurrentPerson
) -> StockMovedOut:
    """Add to the stock of the running period, or take from what is left of it."""
    return await editing.move_stock(tx, caller, reward_id, body)


@router.get(
    "/rewards/{reward_id}/stock",
    operation_id="listStockMovements",
    **allow(READER, RewardNotFound),
)
async def list_stock_movements(
    reward_id: PathId, tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[StockMovementOut]:
    """Return the movements of a reward's stock, newest first."""
    return await editing.movements(tx, caller, reward_id, page)


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return (await reading.get(tx, asked["reward_id"])).org_id


exports.beside(router, list_stock_movements, Bilingual("库存变动", "Stock movements"), org=_org_of)
