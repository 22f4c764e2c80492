"""Editing rewards and their stock, by organizers of the merchant's organisation.

A reservation keeps the price and the goods that it was made with.
"""

from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.merchants import Merchant, MerchantKind, MerchantState
from app.models.rewards import Reward, RewardState, StockMovement
from app.queries import agreements as agreement_queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries import rewards as queries
from app.schemas.rewards import (
    RewardChangedOut,
    RewardDetailOut,
    RewardEditIn,
    RewardIn,
    RewardTermsIn,
    StockMovedOut,
    StockMovementIn,
    StockMovementOut,
)
from app.services import audit, coverages, orgs, people, records
from app.services.ledger import moments
from app.services.merchants import access as merchants
from app.services.policies import history
from app.services.rewards import prices
from app.services.rewards.reading import OutOfStock, RewardNotFound, get, running_period, show

MOVES = {
    RewardState.draft: {RewardState.published},
    RewardState.published: {RewardState.withdrawn},
    RewardState.withdrawn: {RewardState.published},
}


class RewardKeyTaken(Refusal):
    code, status, title = "rewards.key_taken", 409, "Key taken"
    zh, en = "该商户已有相同代码的兑换品", "The merchant has a reward with this key."


class RewardWrongState(records.WrongState):
    code = "rewards.wrong_state"


class StockKindFixed(Refusal):
    code, status, title = "rewards.stock_kind_fixed", 409, "Counted or not is fixed"
    zh = "已上架过的兑换品不能在有库存限制和不限量之间切换，请新建兑换品"
    en = "Once published a reward stays counted, or unlimited; create another one."
    fact_names = ("status",)


async def create(tx: Session, caller: UUID, body: RewardIn) -> RewardDetailOut:
    """Draft a reward.

    Raises MerchantNotFound, OrgClosed, Invalid, PriceStep, RewardKeyTaken.
    """
    merchant, org_id = await _offering(tx, caller, body)
    await orgs.get_open(tx, org_id)
    await _check_tier(tx, org_id, body.min_tier)
    reward = Reward(id=new_id(), org_id=org_id, **body.model_dump(exclude={"org_id"}))
    await prices.check(tx, reward, reward.points)
    if not await queries.add(tx, reward):
        raise RewardKeyTaken
    await audit.write(tx, caller, "created", reward, facts=audit.about("merchant", merchant.id))
    return await show(tx, caller, reward.id)


async def edit(
    tx: Session, caller: UUID, reward_id: UUID, version: int, body: RewardEditIn
) -> RewardChangedOut:
    """Replace the terms of a reward. What was reserved keeps its price and its goods.

    Another ``stock`` is moved in the running period by the difference. Raises RewardNotFound,
    PreconditionFailed, Invalid, PriceStep, PricedByList, StockKindFixed, OutOfStock (fewer are left
    than are taken away), PricesFrozen (another price of what was published).
    """
    reward = await managed(tx, caller, reward_id)
    records.require_version(reward.version, version)
    await _check_tier(tx, reward.org_id, body.min_tier)
    if body.points != reward.points:
        await prices.change(tx, reward, body.points)
    at, stock = await moments.moment(tx), reward.stock
    if (stock is None) != (body.stock is None) and reward.state != RewardState.draft:
        raise StockKindFixed(status=reward.state)
    if stock is not None and body.stock is not None and stock != body.stock:
        start = running_period(reward.stock_period, at)
        if await queries.lock_stock(tx, reward.id, start) is not None:
            await _move(tx, caller, reward, start, body.stock - stock, body.reason)
    terms = body.model_dump(include=set(RewardTermsIn.model_fields))
    changes = await records.edit(tx, caller, reward, version, terms, reason=body.reason)
    return RewardChangedOut(reward=await show(tx, caller, reward.id), changes=changes)


async def publish(
    tx: Session, caller: UUID, reward_id: UUID, reason: str | None
) -> RewardDetailOut:
    """Offer a reward.

    Raises RewardNotFound, OrgClosed, PricesFrozen, RewardWrongState, MerchantWrongState.
    """
    reward = await managed(tx, caller, reward_id)
    await orgs.get_open(tx, reward.org_id)
    await coverages.require_unfrozen(tx, reward.org_id)
    merchant = await merchants.get(tx, reward.merchant_id)
    if merchant.state != MerchantState.active:
        raise merchants.MerchantWrongState(status=merchant.state)
    to = RewardState.published
    await records.move(tx, caller, reward, to, MOVES, RewardWrongState, reason=reason)
    return await show(tx, caller, reward.id)


async def withdraw(
    tx: Session, caller: UUID, reward_id: UUID, reason: str | None
) -> RewardDetailOut:
    """Offer a reward no more; what is reserved can be collected.

    Raises RewardNotFound, RewardWrongState.
    """
    reward = await managed(tx, caller, reward_id)
    to = RewardState.withdrawn
    await records.move(tx, caller, reward, to, MOVES, RewardWrongState, reason=reason)
    return await show(tx, caller, reward.id)


async def move_stock(
    tx: Session, caller: UUID, reward_id: UUID, body: StockMovementIn
) -> StockMovedOut:
    """Add to the stock of the running period, or take from what is left of it.

    Raises RewardNotFound, Invalid (0 pieces, or unlimited), OutOfStock.
    """
    reward = await managed(tx, caller, reward_id)
    if body.change == 0 or reward.stock is None:
        raise invalid("body.change", "不能为零，且兑换品须有库存限制", "must move a counted stock")
    start = running_period(reward.stock_period, await moments.moment(tx))
    movement, before = await _move(tx, caller, reward, start, body.change, body.reason)
    return StockMovedOut(**movement.model_dump(), before=before, after=before + movement.quantity)


async def movements(
    tx: Session, caller: UUID, reward_id: UUID, asked: PageParams
) -> Page[StockMovementOut]:
    """Return the movements of a reward's stock, newest first. Raises RewardNotFound."""
    reward = await get(tx, reward_id)
    org = await orgs.get(tx, reward.org_id)
    if not await people_queries.has_role_at(tx, caller, people.READERS, org.path):
        raise RewardNotFound
    query = record_queries.where(StockMovement, reward_id=reward.id)
    return await records.page(tx, query, StockMovement, StockMovementOut, asked)


async def _move(
    tx: Session, caller: UUID, reward: Reward, start: datetime, quantity: int, reason: str
) -> tuple[StockMovement, int]:
    """Move the stock of a period; return the movement and what was left before it.

    The reward is locked, so nothing is reserved meanwhile.
    """
    assert reward.stock is not None, "an unlimited reward has no stock"
    left = await queries.lock_stock(tx, reward.id, start)
    left = reward.stock if left is None else left
    if left + quantity < 0:
        raise OutOfStock(stock_left=left, opens_at=None)
    done = await queries.take_stock(tx, reward.id, start, stock=reward.stock, quantity=-quantity)
    assert done, "as much was left under the lock"
    movement = StockMovement(
        org_id=reward.org_id,
        created_by=caller,
        reward_id=reward.id,
        period_start=start,
        quantity=quantity,
        reason=reason,
    )
    await records.create(tx, caller, movement, **audit.about("reward", reward.id))
    return movement, left


async def managed(tx: Session, caller: UUID, reward_id: UUID) -> Reward:
    """Lock a reward that the caller may edit. Raises RewardNotFound."""
    reward = await queries.lock(tx, reward_id)
    if reward is None:
        raise RewardNotFound
    org = await orgs.get(tx, reward.org_id)
    if not await people_queries.has_role_at(tx, caller, people.ORGANIZERS, org.path):
        raise RewardNotFound
    return reward


async def _offering(tx: Session, caller: UUID, body: RewardIn) -> tuple[Merchant, UUID]:
    """Return the merchant of a new reward, and the organisation that offers it.

    Another organisation than the merchant's offers at shops with which it has an agreement (a fund
    belongs to its own). Raises MerchantNotFound.
    """
    merchant = await merchants.get(tx, body.merchant_id)
    if body.org_id is None or body.org_id == merchant.org_id:
        return await merchants.managed(tx, caller, merchant.id), merchant.org_id
    today = local_date(now())
    agreed = await agreement_queries.between(tx, merchant.id, body.org_id, today, today)
    if merchant.kind != MerchantKind.shop or not agreed:
        raise merchants.MerchantNotFound
    org = await orgs.get(tx, body.org_id)
    if not await people.holds(tx, caller, people.ORGANIZERS, org.path):
        raise merchants.MerchantNotFound
    return merchant, org.id


async def _check_tier(tx: Session, org_id: UUID, key: str) -> None:
    policy = await history.in_force(tx, (await orgs.get(tx, org_id)).path)
    if key not in {tier.key for tier in policy.document.tiers}:
        raise invalid("body.min_tier", "没有这个等级", "there is no such tier")
