"""Orders of a redemption day: points held, goods and a place in a slot taken."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.validation_messages import invalid
from app.models.ledger import Kind, Purpose
from app.models.merchants import Merchant, MerchantKind, MerchantState
from app.models.redemption_days import DayItem, RedemptionDay
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import people as people_queries
from app.queries.redemption_days import orders as queries
from app.schemas.day_orders import DayOrderIn, DayOrderOut
from app.services import cards, notify, orgs, tiers
from app.services.ledger import moments, posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import AccountKey, HoldTerms, InsufficientPoints, Posting
from app.services.merchants import access as merchants
from app.services.merchants.access import MerchantSuspended
from app.services.policies import history
from app.services.policies.rules import PointsPolicy
from app.services.redemption_days import absences, reading
from app.services.redemptions import holding
from app.services.rewards import reading as rewards


class DayItemNotFound(Refusal):
    code, status, title = "day_orders.no_such_item", 404, "No such item"
    zh, en = "本场没有该奖品", "There is no such item of this redemption day."


class DaySoldOut(Refusal):
    code, status, title = "day_orders.out_of_stock", 409, "Out of stock"
    zh, en = "该奖品本场库存不足", "There is not enough of it left on this day."
    fact_names = ("stock_left",)


class DaySlotFull(Refusal):
    code, status, title = "day_orders.slot_full", 409, "Slot full"
    zh, en = "该时段已约满，请选其他时段", "This slot is full; take another one."
    fact_names = ("limit",)


class DayLimitReached(Refusal):
    """``left``: the pieces that the person may still have, of the item or of the whole day."""

    code, status, title = "day_orders.limit_reached", 409, "Limit reached"
    zh, en = "超过本场的个人限额", "That is over your limit for this redemption day."
    fact_names = ("limit", "used", "left")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody would have: pieces of an item, by the policy in force."""

    day: RedemptionDay
    item: DayItem
    reward: Reward
    policy: PointsPolicy
    family: list[UUID]
    quantity: int


async def order(tx: Session, person_id: UUID, day_id: UUID, body: DayOrderIn) -> DayOrderOut:
    """Reserve pieces of an item.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, RedemptionDayNotOpen, MerchantSuspended,
    DayItemNotFound, RedemptionDaySkipped, CardSuspended, TierTooLow, DayLimitReached, DaySlotFull,
    Invalid (the slot), InsufficientPoints, DaySoldOut.
    """
    at = await moments.moment(tx)
    day = await reading.shared(tx, day_id)
    if refusal := reading.not_open(day.opens_at, day.closes_at, at):
        raise refusal
    if (await merchants.get(tx, day.merchant_id)).state != MerchantState.active:
        raise MerchantSuspended
    wanted = await admitted(tx, day, person_id, body.item_id, body.quantity, at)
    accounts = await posting.lock(tx, payers(wanted, person_id), at)
    slot_id = await _check(tx, wanted, body.slot_id, at)
    made = made_of(wanted, person_id, slot_id, day.offline_until or day.walk_ins_at, at)
    await hold(tx, wanted, made, accounts, at)
    facts: dict[str, Any] = {"title": day.title, "place": day.place, "reward": wanted.reward.name}
    facts |= {"from_at": await _begins(tx, day, slot_id)}
    counts = {"quantity": made.quantity, "points": made.points}
    subject = ("redemption", made.id)
    await notify.send(tx, person_id, "redemption_day_reserved", subject, **facts, **counts)
    return reading.order_out(made, wanted.reward, at)


async def admitted(
    tx: Session, day: RedemptionDay, person_id: UUID, item_id: UUID, quantity: int, at: datetime
) -> Wanted:
    """Return what a person may have, as far as the card and the past tell.

    Raises DayItemNotFound, RedemptionDaySkipped, CardSuspended, TierTooLow.
    """
    item = await queries.item(tx, day.id, item_id)
    if item is None:
        raise DayItemNotFound
    reward = await rewards.get(tx, item.reward_id)
    family = await people_queries.family(tx, person_id)
    if refusal := await absences.skipped(tx, day, family, at):
        raise refusal
    policy = await history.in_force(tx, (await orgs.get(tx, day.org_id)).path, at)
    await cards.require_active(tx, person_id)
    standing = await tiers.standing(tx, person_id, policy)
    if too_low := rewards.too_low(policy, reward.min_tier, standing):
        raise too_low
    return Wanted(day, item, reward, policy, family, quantity)


def payers(wanted: Wanted, person_id: UUID) -> list[AccountKey]:
    available = AccountKey(person_id, Purpose.available, wanted.policy.unit_id)
    return [available, available.held]


def payee(merchant: Merchant, policy: PointsPolicy, unit_id: int) -> AccountKey:
    """Return the account that a collection at a merchant fills."""
    if merchant.kind == MerchantKind.fund_counter:
        return AccountKey(merchant.org_id, policy.fund, unit_id)
    return AccountKey(merchant.id, Purpose.takings, unit_id)


async def check_limits(tx: Session, wanted: Wanted, but: UUID | None = None) -> list[Redemption]:
    """Return what the person has of the day, without ``but``; their accounts are locked.

    Raises DayLimitReached.
    """
    found = await queries.live_orders(tx, wanted.day.id, wanted.family)
    live = [one for one in found if one.id != but]
    used = sum(one.quantity for one in live)
    of_item = sum(one.quantity for one in live if one.reward_id == wanted.item.reward_id)
    for limit, had in (
        (wanted.item.limit_per_person, of_item),
        (wanted.day.limit_per_person, used),
    ):
        if limit is not None and had + wanted.quantity > limit:
            raise DayLimitReached(limit=limit, used=had, left=max(limit - had, 0))
    return live


async def _check(tx: Session, wanted: Wanted, slot_id: UUID | None, at: datetime) -> UUID | None:
    """Check limits and the slot; take a place with the person's first order, and return the slot.

    Raises DayLimitReached, Invalid, DaySlotFull.
    """
    live = await check_limits(tx, wanted)
    slots = {one.id: one for one in await queries.slots(tx, wanted.day.id)}
    held = next((one.slot_id for one in live if one.slot_id is not None), None)
    if held is not None:
        if slot_id not in (None, held):
            raise invalid("body.slot_id", "您本场已选其他时段", "you come in another slot")
        return held
    if not slots and slot_id is None:
        return None
    slot = slots.get(slot_id) if slot_id is not None else None
    if slot is None or slot.ends_at <= at:
        raise invalid("body.slot_id", "请选择本场的时段", "name a slot of this day to come")
    if not await queries.take_place(tx, slot.id):
        raise DaySlotFull(limit=slot.capacity)
    return slot.id


async def _begins(tx: Session, day: RedemptionDay, slot_id: UUID | None) -> datetime:
    slots = await queries.slots(tx, day.id) if slot_id is not None else []
    return next((one.starts_at for one in slots if one.id == slot_id), day.starts_at)


def made_of(
    wanted: Wanted, person_id: UUID, slot_id: UUID | None, expires_at: datetime, at: datetime
) -> Redemption:
    """Return a new order."""
    return Redemption(
        id=new_id(),
        person_id=person_id,
        reward_id=wanted.reward.id,
        merchant_id=wanted.day.merchant_id,
        quantity=wanted.quantity,
        points=wanted.item.points * wanted.quantity,
        unit_id=wanted.policy.unit_id,
        status=RedemptionStatus.reserved,
        pickup_code=holding.pickup_code(),
        stock_period_start=wanted.day.starts_at,
        expires_at=expires_at,
        created_at=at,
        day_id=wanted.day.id,
        slot_id=slot_id,
    )


def holding_of(wanted: Wanted, made: Redemption) -> Posting:
    """Return the posting that holds the points of an order."""
    refunded_for = timedelta(days=wanted.policy.document.lots.refund_days)
    terms = HoldTerms(
        made.expires_at, holding.reason_of(Kind.unhold, wanted.reward.name), refunded_for
    )
    reason = holding.reason_of(Kind.hold, wanted.reward.name)
    payer, held = payers(wanted, made.person_id)
    return holding.posting_of(made, Kind.hold, payer, held, wanted.reward.org_id, reason, terms)


async def hold(
    tx: Session, wanted: Wanted, made: Redemption, accounts: Locked, at: datetime
) -> None:
    """Hold the points, take the goods and insert the order.

    Raises InsufficientPoints, DaySoldOut.
    """
    entry = holding_of(wanted, made)
    [outcome] = await posting.post(tx, [entry], at, accounts)
    if isinstance(outcome, InsufficientPoints):
        spendable = await posting.spendable(tx, accounts[entry.payer].id, at)
        raise InsufficientPoints(needed=entry.amount, available=spendable)
    unwrap([outcome])
    await take(tx, wanted)
    await queries.add_order(tx, made)


async def take(tx: Session, wanted: Wanted) -> None:
    """Take the pieces from the shelf. Raises DaySoldOut."""
    if not await queries.take(tx, wanted.item.id, wanted.quantity):
        left = (await queries.lock_item(tx, wanted.item.id)).remaining
        raise DaySoldOut(stock_left=left)
